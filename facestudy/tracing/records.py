"""DVC's records: which stage wrote a file, from what, and whether that is still so."""

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from dvc.dependency import ParamsDependency
from dvc.exceptions import DvcException
from dvc.repo import Repo
from networkx import descendants, lexicographical_topological_sort

from facestudy.errors import StudyError
from facestudy.project import copies, paths
from facestudy.tracing.git import Commit, Git

LOCK = Path("dvc.lock")
CODE = ("stages/", "facestudy/")
NOT_HERE = "NOT HERE: `dvc pull` gets it where a remote is configured, or `dvc repro` makes it anew"
NO_GIT = "`git init`, or `dvc config --local core.no_scm true`"
CHANGED = "CHANGED since dvc.lock"


@dataclass(frozen=True)
class File:
    """A file or folder that a stage read or wrote, as dvc.lock records it."""

    path: str  # from the repository's root
    hash: str  # DVC's MD5 with its name, "md5 ...", of a folder that of its list of files; empty without a record
    size: str  # bytes and, of a folder, files; of a file that was read empty, for its writer has it
    problem: str  # how it differs from dvc.lock now; empty where it does not
    writers: tuple[str, ...] | None  # the stages that wrote it or parts of it; None where that is plain, or of code

    @property
    def is_code(self) -> bool:
        """Whether it is code of this repository."""
        return f"{self.path}/".startswith(CODE)


@dataclass(frozen=True)
class Stage:
    """A stage as dvc.yaml and dvc.lock have it; parameters by key, with what differs from dvc.lock now."""

    name: str
    description: str
    command: str
    problem: str  # where dvc.lock has another command, or no record
    parameters: dict[str, Any]
    changed_parameters: dict[str, str]
    read: list[File]
    written: list[File]


@dataclass
class Records:
    """The pipeline of the current folder, as it is when it is first asked."""

    git: Git = field(default_factory=Git)
    _known: dict[str, Stage] = field(default_factory=dict)

    @cached_property
    def _repo(self) -> Any:
        if not paths.PIPELINE.is_file():
            raise StudyError(f"there is no {paths.PIPELINE} here; call `facestudy trace` at the root of the repository")
        if not LOCK.is_file():
            back = f", or get it back by `git checkout {LOCK}`" if self.git.there else ""
            raise StudyError(f"{LOCK} is not here, so nothing is recorded; run `dvc repro`{back}")
        with readable():
            return Repo()

    @cached_property
    def _stages(self) -> dict[str, Any]:
        """DVC's stages by name, in the order of dvc.yaml."""
        with readable():
            return {stage.addressing: stage for stage in self._repo.index.stages}

    @cached_property
    def _outs(self) -> dict[str, str]:
        """The stage that writes an output, by the output's path."""
        return {self._path(out): name for name, stage in self._stages.items() for out in stage.outs}

    @property
    def outputs(self) -> list[str]:
        """Paths of all outputs."""
        return list(self._outs)

    def writer(self, path: str) -> str | None:
        """The stage that wrote a file, itself or the folder that it is in; None where no stage did."""
        own = [PurePosixPath(path), *PurePosixPath(path).parents]
        named = next((self._outs[str(each)] for each in own if str(each) in self._outs), None)
        return named or self._timed(path)

    def _timed(self, path: str) -> str | None:
        """The stage that wrote a file of timings/, which DVC knows as metrics of no stage."""
        parts = PurePosixPath(path).parts
        if parts[:1] != (str(paths.TIMINGS),) or len(parts) != 5:
            return None
        task, variant, seed, file = parts[1:]
        name = f"{PurePosixPath(file).stem}@{task}-{variant}-{seed}"
        return name if name in self._stages else None

    def writers(self, path: str) -> list[str]:
        """The stages that wrote a file or folder, or anything in it."""
        inside = {name: None for out, name in self._outs.items() if PurePosixPath(out).is_relative_to(path)}
        writer = self.writer(path)
        return [*inside] or ([writer] if writer else [])

    def chain(self, names: Iterable[str]) -> list[str]:
        """These stages and all that they need, each before those that it needs."""
        with readable():
            graph = self._repo.index.graph
        start = {self._stages[name] for name in names}
        needed = start.union(*(descendants(graph, stage) for stage in start))
        order = {stage: number for number, stage in enumerate(reversed(self._stages.values()))}
        sorted_ones = lexicographical_topological_sort(graph.subgraph(needed), key=lambda stage: order.get(stage, 0))
        return [stage.addressing for stage in sorted_ones if stage.addressing in self._stages]

    def stage(self, name: str) -> Stage:
        """All that is recorded of a stage."""
        if name not in self._known:
            self._known[name] = self._described(name)
        return self._known[name]

    def _described(self, name: str) -> Stage:
        stage = self._stages[name]
        with readable():
            files = [dep for dep in stage.deps if not isinstance(dep, ParamsDependency)]
            parameters, changed = self._parameters(stage)
            read, written = [self._read(each) for each in files], [self._file(each) for each in stage.outs]
        problem = f"{CHANGED}, which has another command" if stage.cmd_changed else ""
        if not any(each.hash for each in written):
            problem = f"{LOCK} has NO RECORD of this stage: it has not run to its end here"
        command = str(stage.cmd or "none: `dvc add` tracks it")
        return Stage(name, stage.desc or "", command, problem, parameters, changed, read, written)

    def recorded(self, stage: Stage) -> Commit | None:
        """The first commit by which dvc.lock had all that a stage wrote; None where none has, or it is not known."""
        words = self.git.words(str(LOCK))
        first = [words.get(file.hash.removeprefix("md5 ")) for file in stage.written if file.hash]
        known = [each for each in first if each is not None]
        return max(known, key=lambda each: each[0])[1] if known and len(known) == len(first) else None

    def file(self, path: str) -> File:
        """The record of an output, or of the output that a file lies in."""
        own = [PurePosixPath(path), *PurePosixPath(path).parents]
        out = next(str(each) for each in own if str(each) in self._outs)
        with readable():
            stage = self._stages[self._outs[out]]
            return self._file(next(each for each in stage.outs if self._path(each) == out))

    def _parameters(self, stage: Any) -> tuple[dict[str, Any], dict[str, str]]:
        """As recorded; and for each key that has changed, in which way."""
        parameters: dict[str, Any] = {}
        changed: dict[str, str] = {}
        for dep in stage.deps:
            if isinstance(dep, ParamsDependency):
                parameters |= dict(dep.hash_info.value or {})
                for keys in dep.status().values():
                    changed |= keys if isinstance(keys, dict) else dict.fromkeys(dep.params or [], str(keys))
        return parameters, changed

    def _read(self, dependency: Any) -> File:
        """With what wrote it; where dvc.lock has another hash for what was written, that is a problem too."""
        file = self._file(dependency)
        if file.is_code:
            return file
        written = [out for name in self.writers(file.path) for out in self._stages[name].outs]
        own = next((out for out in written if self._path(out) == file.path), None)
        other = own is not None and own.hash_info != dependency.hash_info
        problem = f"{CHANGED} by its stage, which has run since" if other else file.problem
        size = file.size if not written else ""
        return replace(file, size=size, problem=problem, writers=tuple(self.writers(file.path)))

    def _file(self, output: Any) -> File:
        path = self._path(output)
        known = bool(output.hash_info)
        number = output.meta.size if output.meta else None
        size = "" if number is None else f"{number:,} bytes"
        if output.meta and output.meta.nfiles:
            size += f" in {output.meta.nfiles:,} files"
        problem = ""
        if known:
            # Not `status()`, which looks no further at a file that the cache lacks.
            state = next(iter(output.workspace_status().values()), "")
            problem = {"": "", "deleted": NOT_HERE}.get(state, f"{CHANGED} ({state})")
        value = f"md5 {output.hash_info.value}" if known else ""
        return File(path, value, size, problem, None)

    def _path(self, output: Any) -> str:
        return Path(output.fs_path).relative_to(self._repo.root_dir).as_posix() if output.fs_path else str(output)


@contextmanager
def readable() -> Iterator[None]:
    """Turns what DVC raises over the repository or the pipeline into a StudyError."""
    try:
        yield
    except DvcException as error:
        advice = f"If {LOCK} is cut short or in conflict, `git checkout {LOCK}` repairs it"
        if not Git().there:
            advice = f"There is no Git here: DVC needs {NO_GIT}; a {LOCK} that is cut short, a whole copy in its place"
        raise StudyError(f"DVC cannot read the pipeline: {error}{copies.hint()}\n{advice}") from None


def is_there(path: str) -> bool:
    """Whether there is such a file or folder; not where no file can have the name, as one of 5,000 letters."""
    try:
        return Path(path).exists()
    except OSError:
        return False


def closest(name: str, among: Iterable[str], number: int = 3) -> str:
    """The names that are nearest to one, for a message; empty where none is near."""
    found = difflib.get_close_matches(name, list(among), n=number, cutoff=0.6)
    return f"; did you mean {' or '.join(found)}?" if found else ""


def flat(values: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested mappings, by dotted key."""
    if isinstance(values, dict) and values:
        for name, value in values.items():
            yield from flat(value, f"{above}.{name}" if above else str(name))
    else:
        yield above, values
