"""What a stage opened, by its strace log, against what dvc.yaml says it reads and writes."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

OPENED = re.compile(r'(?:open|openat|creat)\((?:[A-Z_0-9]+, )?"((?:[^"\\]|\\.)*)"(?:, ([A-Z_|]+))?.*\) = \d+')
RENAMED = re.compile(r'rename(?:at2?)?\(.*"((?:[^"\\]|\\.)*)"[^"]*\) = 0')
WRITES = ("O_WRONLY", "O_RDWR", "O_CREAT")
# Read by every stage, or written beside what DVC knows: scratch, W&B's files, seconds and memory.
SHARED = {f"facestudy/{name}.py" for name in ("errors", "stage", "process")}
SCRATCH = (".resume/", "wandb/", "data/.fetching/")


NO_STRACE = "strace is not there, or may not trace (Debian: apt install strace)"


@cache
def strace_works() -> bool:
    """Whether this machine lets a process be traced."""
    command = shutil.which("strace")
    return (
        command is not None and subprocess.run([command, "-qq", "-o", os.devnull, "true"], check=False).returncode == 0
    )


def traced_python(folder: Path) -> Path:
    """A folder with a `python` that leaves a log of what it and its children open in <stage>.log there."""
    trace = "strace -f -qq --seccomp-bpf -e trace=open,openat,creat,rename,renameat,renameat2"
    script = f'#!/bin/sh\nexec {trace} -o "{folder}/$DVC_STAGE.log" {sys.executable} "$@"\n'
    (folder / "python").write_text(script, encoding="utf-8")
    (folder / "python").chmod(0o755)
    return folder


def violations(log: str, root: Path, deps: Iterable[str], outs: Iterable[str]) -> list[str]:
    """Reads under `root` of what is neither a dependency nor an output, and writes of what is no output."""
    deps, outs = list(deps), list(outs)
    found = []
    for path, writes in _opened(log, root):
        if f"{path}/".startswith(SCRATCH) or path in ("params.yaml", "dvc.yaml"):
            continue
        if path.endswith((".py", ".pyc")):
            code = re.sub(r"__pycache__/(\w+)\.cpython-\d+\.pyc(\.\d+)?$", r"\1.py", path)
            if not writes and code not in SHARED and not code.endswith("__init__.py") and not _below(code, deps):
                found.append(f"reads the code {code}")
            continue
        own = _below(path, [*outs, "timings"])
        if writes and not own:
            found.append(f"writes {path}")
        elif not writes and not own and not _below(path, deps):
            found.append(f"reads {path}")
    return sorted(set(found))


def _opened(log: str, root: Path) -> Iterator[tuple[str, bool]]:
    for line in log.splitlines():
        if match := RENAMED.search(line):
            name, writes = match[1], True
        elif match := OPENED.search(line):
            flags = match[2] or "O_CREAT"
            if "O_DIRECTORY" in flags or "O_PATH" in flags or "O_TMPFILE" in flags:
                continue
            name, writes = match[1], any(flag in flags for flag in WRITES)
        else:
            continue
        path = Path(name.encode().decode("unicode_escape"))
        path = path if path.is_absolute() else root / path
        if path.is_relative_to(root) and not path.is_dir():
            yield path.relative_to(root).as_posix(), writes


def _below(path: str, places: Iterable[str]) -> bool:
    # `.name.part` is what becomes `name` when it is whole (facestudy/project/files.py).
    plain = re.sub(r"(^|/)\.([^/]+)\.part(?=/|$)", r"\1\2", path)
    return any(plain == place or plain.startswith(f"{place}/") for place in places)
