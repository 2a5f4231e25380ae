"""The stages behind a file as text, from the one that wrote it back to the photos."""

from collections.abc import Iterable, Iterator
from typing import get_args

from facestudy.project import paths
from facestudy.project.sections import Source
from facestudy.tracing import described
from facestudy.tracing.lines import line, lines, values
from facestudy.tracing.records import CHANGED, LOCK, File, Records, Stage, flat

REQUIREMENTS = "requirements.txt"
MANY = 4  # stages, of which only the number is shown


def chain(records: Records, start: Iterable[str], aside: Iterable[str] = ()) -> str:
    """All stages that the given ones need and they themselves; those in `aside` by their names alone."""
    names = records.chain(start)
    left_out = [name for name in names if name in set(aside)]
    stages = [records.stage(name) for name in names if name not in left_out]
    parts = [_verdict(stages, records), *_history(records), *(_stage(stage, records) for stage in stages)]
    if left_out:
        parts.append(line("not shown", f"{', '.join(left_out)}: of other models, or of none that this is about"))
    return "\n\n".join([*parts, _code(stages, records), _versions(stages, records)])


def _verdict(stages: list[Stage], records: Records) -> str:
    """Whether all is as dvc.lock and the last commit have it, and what is not."""
    found: dict[str, str] = {}
    for stage in stages:
        if stage.problem:
            found[stage.name] = stage.problem
        for key, state in stage.changed_parameters.items():
            found[f"{key} in {paths.PARAMS}"] = f"{CHANGED} ({state})"
        for file in [*stage.written, *stage.read]:
            if file.problem:
                found[file.path] = file.problem
            elif file.is_code and records.git.dirty(file.path):
                found[file.path] = "as in dvc.lock, but NOT COMMITTED"
    if records.git.dirty(str(LOCK)):
        found[str(LOCK)] = "NOT COMMITTED"
    if not found:
        return line("state", "every file, parameter and line of code below is as dvc.lock has it")
    problems = (f"{what}: {problem}" for what, problem in found.items())
    return "\n".join([line("state", "not all below is as dvc.lock has it, or committed:"), *lines("", problems)])


def _history(records: Records) -> Iterator[str]:
    if records.git.cut:
        why = "cut, for this is a shallow clone: which commits changed what is not known"
        yield line("history", f"{why}; `git fetch --unshallow` gets the rest")


def _stage(stage: Stage, records: Records) -> str:
    code = [file.path for file in stage.read if file.is_code]
    data = [file for file in stage.read if not file.is_code]
    metadata = [*described.files(file.path for file in stage.written), *described.timing(stage.command)]
    texts = [
        stage.name,
        *lines("", [stage.description] if stage.description else []),
        line("command", stage.command),
        *lines("", [stage.problem] if stage.problem else []),
        *lines("recorded", _recorded(stage, records)),
        *lines("parameters", _parameters(stage)),
        *lines("output", (_file(file) for file in stage.written)),
        *lines("metadata", metadata),
        *lines("code", [", ".join(code)] if code else []),
        *lines("input", (_file(file) for file in data)),
    ]
    return "\n".join(texts)


def _recorded(stage: Stage, records: Records) -> list[str]:
    commit = records.recorded(stage)
    if commit:
        return [f"its result is in dvc.lock since commit {commit.text}"]
    unknown = records.git.unknown
    return [f"since when is not known: {unknown}" if unknown else "its result is in the dvc.lock of NO COMMIT"]


def _parameters(stage: Stage) -> Iterator[str]:
    """As recorded, but for the keys of sources that are not in use; and what has changed."""
    leaves = {key: value for name, each in stage.parameters.items() for key, value in flat(each, name)}
    unused = {f"data.{name}" for name in get_args(Source) if name != leaves.get("data.source")}
    other = sorted({above for key in leaves if (above := ".".join(key.split(".")[:2])) in unused})
    used = {key: value for key, value in leaves.items() if ".".join(key.split(".")[:2]) not in unused}
    if used:
        yield values(used)
    if other:
        yield f"{', '.join(other)}: of sources that are not in use"
    yield from (f"{key}: {CHANGED} ({state})" for key, state in stage.changed_parameters.items())


def _file(file: File) -> str:
    origin = ""
    if file.writers is not None:
        count = len(file.writers)
        origin = ", ".join(file.writers) if count < MANY else f"{count} stages"
        origin = f"from {origin}" if origin else "which no stage writes"
    return "  ".join(part for part in [file.path, file.hash or "no hash", file.size, origin, file.problem] if part)


def _code(stages: list[Stage], records: Records) -> str:
    """Every part of the code that the stages ran, with the last commit that changed it."""
    users: dict[File, list[str]] = {}
    for stage in stages:
        for file in stage.read:
            if file.is_code:
                users.setdefault(file, []).append(stage.name)
    twice = {file.path for file in users if sum(file.path == other.path for other in users) > 1}
    shown = ["Code"]
    for file, names in sorted(users.items(), key=lambda pair: (not pair[0].path.startswith("stages/"), pair[0].path)):
        parts = [file.path, file.hash or "no hash", _commit(file.path, records), file.problem]
        text = "  ".join(part for part in parts if part)
        shown.append(line("", f"{text}  of {', '.join(names)}" if file.path in twice else text))
    return "\n".join(shown)


def _commit(path: str, records: Records) -> str:
    commit = records.git.last_change(path)
    if commit is None:
        return f"commit not known: {records.git.unknown}" if records.git.unknown else "in no commit"
    return f"commit {commit.short}" + (", and NOT COMMITTED changes" if records.git.dirty(path) else "")


def _versions(stages: list[Stage], records: Records) -> str:
    """What requirements.txt asked for when each stage's result was first recorded."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for stage in stages:
        commit = records.recorded(stage)
        text = records.git.file(commit, REQUIREMENTS) if commit else ""
        found = (each.partition("#")[0].strip() for each in text.splitlines())
        groups.setdefault(tuple(pin for pin in found if pin), []).append(stage.name)
    about = f"no stage records versions; {REQUIREMENTS} had these in the commit whose dvc.lock first had the result"
    shown, first = ["Versions", line("", about)], max(groups, key=len)
    for pins in sorted(groups, key=lambda pins: pins != first):
        text = "; ".join(pins) or f"not known: {records.git.unknown or 'no commit has the result'}"
        if pins and pins != first:
            names = {pin.partition("==")[0] for pin in pins}
            gone = [pin.partition("==")[0] for pin in first if pin.partition("==")[0] not in names]
            other = [*(pin for pin in pins if pin not in first), *(f"no {name}" for name in gone)]
            text = f"the same, but {'; '.join(other)}"
        shown.append(line("", f"{', '.join(groups[pins])}: {text}"))
    shown.append(line("", "train and export alone record their machine, in timings/; the others' is not known"))
    return "\n".join(shown)
