"""The command `facestudy trace`: what is named, and which of the modules here answers."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from facestudy.errors import StudyError
from facestudy.project import paths
from facestudy.tracing import picture, sentence
from facestudy.tracing.chain import chain
from facestudy.tracing.lines import line
from facestudy.tracing.records import NOT_HERE, File, Records, closest, is_there
from facestudy.tracing.value import value

MODELS = ("train", "evaluate", "export", "initial_weights", "weights")  # stages of single models and variants
LONG = 200  # letters of a name, of which an error shows no more
REPORTS = {paths.REPORT_MARKDOWN.as_posix(), paths.REPORT_HTML.as_posix()}


def trace(target: str) -> None:
    """Print how what is named came about.

    `target`: a file of the study; a value in it, as FILE:KEY; a sentence of the report, as plots/report.md:TEXT; or a
    photo by its name in data/raw or in its source. Raises StudyError where there is no such thing, or no record of it.
    """
    try:
        print(text(target, Records()), flush=True)
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def text(target: str, records: Records) -> str:
    """What `trace` prints."""
    if not target.strip():
        raise StudyError("name a file, FILE:KEY, a sentence of the report or a photo; see `facestudy trace --help`")
    whole = _from_root(target)
    file, colon, key = target.partition(":")
    file = _from_root(file)
    if whole.startswith(f"{(paths.RAW / 'images').as_posix()}/"):
        return picture.text(whole, records)
    if colon and records.writer(file) and not is_there(whole):
        return _sentence(file, key, records) if file in REPORTS else _value(file, key, records)
    if records.writer(whole):
        return _file(whole, records)
    if picture.known(target):
        return picture.text(target, records)
    raise _unknown(target, file, records)


def _file(path: str, records: Records) -> str:
    here = is_there(path)
    if not here and path not in records.outputs:
        record = records.file(path) if any(path.startswith(f"{out}/") for out in records.outputs) else None
        if record is None or not record.problem.startswith("NOT HERE"):
            raise StudyError(f"{path} is not there{closest(path, _below(Path(path).parent))}")
    return "\n\n".join([path, *_state(path, records), _chain(path, records)])


def _value(path: str, key: str, records: Records) -> str:
    if not is_there(path):
        shown = f"{path}:{key} cannot be shown: the file is not here"
        return "\n\n".join([shown, *_state(path, records), _chain(path, records)])
    return "\n\n".join([f"{path}:{key} = {value(Path(path), key)}", *_state(path, records), _chain(path, records)])


def _sentence(path: str, words: str, records: Records) -> str:
    found = sentence.find(Path(path), words)
    writers = dict.fromkeys(name for file in found.files for name in records.writers(file))
    kept = {*records.chain(writers), "report"}
    others = [name for name in records.chain(["report"]) if name not in kept]
    return "\n\n".join([found.text(), *_state(path, records), chain(records, ["report"], others)])


def _state(path: str, records: Records) -> list[str]:
    """How the file itself stands to dvc.lock."""
    if path not in records.outputs and records.writer(path) and path.startswith(f"{paths.TIMINGS}/"):
        note = f"{path} differs between runs, so dvc.lock does not have it: its stage writes it beside its outputs"
        return [line("state", note)]
    record = records.file(path)
    inside = "" if record.path == path else f"{path} is a part of {record.path}, which is recorded as a whole. "
    return [line("state", inside + _judged(record))]


def _judged(record: File) -> str:
    if not record.hash:
        return f"dvc.lock has NO RECORD of {record.path}"
    if record.problem == NOT_HERE:
        return f"{record.path} is {record.problem}; dvc.lock has {record.hash}"
    if record.problem:
        return (
            f"{record.path} has {record.problem}: what follows made {record.hash}, which is not the file that is here"
        )
    return f"{record.path} is what dvc.lock records: {record.hash}"


def _chain(path: str, records: Records) -> str:
    """The stages behind a file; of one model's figure or page, without the other models'."""
    writer = records.writer(path)
    assert writer is not None
    needed = records.chain([writer])
    own = next((stages for part in Path(path).with_suffix("").parts if (stages := _model(part, path, needed))), None)
    if own is None:
        return chain(records, [writer])
    kept = {*records.chain(own), writer}
    of_models = [name for name in needed if name.partition("@")[0] in MODELS]
    return chain(records, [writer], [name for name in of_models if name not in kept])


def _model(part: str, path: str, needed: Iterable[str]) -> list[str]:
    """The stages of the model whose figures or page a part of a path, VARIANT_SEED, names; none where it does not."""
    variant, _, seed = part.rpartition("_")
    models = {f"{stage}@{task}-{variant}-{seed}" for stage in ("train", "evaluate") for task in Path(path).parts}
    return [name for name in needed if name in models]


def _from_root(name: str) -> str:
    """A path as DVC has it, from the repository's root, where this is called."""
    return Path(os.path.relpath(name)).as_posix() if name else name


def _below(folder: Path) -> list[str]:
    return [path.as_posix() for path in folder.iterdir()] if folder.is_dir() else []


def _folder(path: str, records: Records) -> str:
    """What to name in place of a folder, and which stages write in it; empty where none does."""
    every = [*records.outputs, *(each.as_posix() for each in sorted(paths.TIMINGS.rglob("*.json")))]
    inside = {each: writer for each in every if Path(each).is_relative_to(path) and (writer := records.writer(each))}
    stages = ", ".join(dict.fromkeys(name.partition("@")[0] for name in inside.values()))
    examples = " or ".join(list(inside)[:2])
    return f"{path} is a folder, written by {stages}; name a file in it, as {examples}" if inside else ""


def _unknown(target: str, file: str, records: Records) -> StudyError:
    if file and (folder := _folder(file, records)):
        return StudyError(folder)
    if is_there(file):
        commit = records.git.last_change(file)
        known = f"commit {commit.text}" if commit else records.git.unknown or "not committed"
        known = f"Git has it: {known}" if records.git.tracks(file) else "neither does Git track it"
        return StudyError(f"{file} is written by no stage of {paths.PIPELINE}, so DVC has no record of it; {known}")
    near = closest(file, [*records.outputs, *picture.names()])
    get = "`dvc pull data/raw` gets them from a remote, `dvc repro` makes them anew"
    raw = "" if (paths.RAW / "index.csv").is_file() else f"; the photos are not here ({get})"
    shown = target if len(target) <= LONG else f"{target[:LONG]} ..."
    return StudyError(f"{shown} is no file of the study, and no picture of its index{near}{raw}")
