"""A stage ends when the `dvc` that started it does, however that ends: nothing works on in the dark."""

import atexit
import os
import select
import signal
import sys
import threading
from pathlib import Path
from typing import Any, NoReturn

MARK = b"DVC_STAGE="  # DVC sets it for a stage, and so for all that the stage starts


def end_with_it() -> None:
    """Where DVC started this process, on Linux, watch DVC's own process and be killed with it.

    The kernel's own signal (PR_SET_PDEATHSIG) tells of the parent alone, which may be a shell or torchrun.
    """
    if "DVC_STAGE" not in os.environ or sys.platform != "linux":
        return
    process = _dvc()
    if process is None:
        return
    try:
        watched = os.pidfd_open(process)
    except ProcessLookupError:
        _end()
    threading.Thread(target=_wait, args=(watched,), daemon=True).start()


def workers_end_too() -> dict[str, Any]:
    """Settings for joblib by which loky's workers end with this process; by themselves they would wait for more."""
    return {"initializer": end_with_parent, "initargs": (os.getpid(),)}


def end_with_parent(parent: int) -> None:
    """In a worker process, on Linux, be killed when its parent of this number ends.

    A worker whose parent ended before it asked has another by now, which would never end, and is killed at once.
    """
    if sys.platform != "linux":
        return
    try:
        watched = os.pidfd_open(parent)
    except ProcessLookupError:
        _end()
    if os.getppid() != parent:
        _end()
    threading.Thread(target=_wait, args=(watched,), daemon=True).start()


def leave() -> NoReturn:
    """End this process with success once its threads and exit handlers have run, as multiprocessing ends its own.

    Python would then take all objects apart, which after an import of torch is a second's work for nothing.
    """
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _dvc() -> int | None:
    """The nearest process above without DVC's mark; None where it is another user's."""
    process = os.getpid()
    try:
        while True:
            process = int(Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
            environment = Path(f"/proc/{process}/environ").read_bytes()
            if not any(entry.startswith(MARK) for entry in environment.split(b"\0")):
                return process
    except OSError:
        return None


def _wait(watched: int) -> None:
    select.select([watched], [], [])
    _end()


def _end() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
