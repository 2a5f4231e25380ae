"""What this process does for its speed and for its end; nothing here changes a byte of a result.

Each trick says what it gains. `STUDY_PLAIN=gc,malloc,exit,compiler` (any of them) leaves it out.
"""

import atexit
import ctypes
import gc
import importlib
import io
import os
import re
import select
import signal
import sys
import threading
import types
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # as glibc's malloc.h numbers them
_STARTED, _SUCCEEDED = threading.Event(), threading.Event()


def enabled(trick: str) -> bool:
    """Whether a trick is in use; STUDY_PLAIN names those that are not."""
    return trick not in os.environ.get("STUDY_PLAIN", "").split(",")


def start() -> None:
    """Call before other imports. Gains 0.6 s of a stage's start ("gc") and 0.9 s of its end ("exit").

    gc: imports make objects that stay, and at Python's own threshold of 700 the collector visits those of torch again
    and again. exit: Python would take all objects apart, a second's work after an import of torch; the handler that
    is registered first runs last, when threads have ended and all other handlers have run.
    compiler: `_CompilerLater`.
    """
    if _STARTED.is_set():
        return
    _STARTED.set()
    if enabled("gc"):
        gc.set_threshold(1_000_000)
    if enabled("exit"):
        atexit.register(_exit_at_once)
    if enabled("compiler"):
        sys.meta_path.insert(0, _CompilerLater())


class _OptimizedModuleType(type):
    def __instancecheck__(cls, instance: object) -> bool:
        compiler = sys.modules.get("torch._dynamo")
        return compiler is not None and isinstance(instance, compiler.OptimizedModule)


class _OptimizedModule(metaclass=_OptimizedModuleType):
    """Stands for torch.compile's modules: nothing is one before the compiler is imported."""


def _is_compile_supported(device_type: str) -> bool:
    return bool(importlib.import_module("torch._dynamo.utils").is_compile_supported(device_type))


_SUBSTITUTES: dict[str, tuple[str, dict[str, object]]] = {
    "torchvision.ops.roi_align": ("torch._dynamo.utils", {"is_compile_supported": _is_compile_supported}),
    "lightning_fabric.wrappers": ("torch._dynamo", {"OptimizedModule": _OptimizedModule}),
}


class _CompilerLater(MetaPathFinder):
    """Import torch's compiler when it is used ("compiler"). Gains a third of the start of a stage that needs torch.

    torch itself imports it so; torchvision and Fabric import it with themselves, each for one name, which gets a
    substitute that asks the compiler once it is there.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in _SUBSTITUTES or "torch._dynamo" in sys.modules:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            return None
        module, names = _SUBSTITUTES[fullname]
        source = getattr(spec.loader, "get_source", lambda _: None)(fullname) or ""
        if re.findall(r"^\s*((?:from|import) torch\._(?:dynamo|inductor).*)", source, re.MULTILINE) != [
            f"from {module} import {', '.join(names)}"
        ]:
            return None  # another version, which needs more of it
        execute = spec.loader.exec_module

        def execute_with_substitutes(importing: types.ModuleType) -> None:
            substitutes = {name: types.ModuleType(name) for name in ("torch._dynamo", module)}
            vars(substitutes[module]).update(names)
            sys.modules.update(substitutes)
            try:
                execute(importing)
            finally:
                for name in substitutes:
                    del sys.modules[name]

        spec.loader.exec_module = execute_with_substitutes  # type: ignore[method-assign, assignment]
        return spec


def write_any_text() -> None:
    """Let file names be UTF-8 whatever the locale, and let standard output take any text.

    Where Python reads file names as something else (LC_ALL=C with PYTHONUTF8=0), photos whose names have accents would
    not be found: the process starts once more in UTF-8 mode. A letter that the encoding of standard output does not
    have is written as its escape, as Python does on standard error.
    """
    if sys.getfilesystemencoding() != "utf-8" and not sys.flags.utf8_mode:
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        settings = {"PYTHONUTF8": "1", "PYTHONIOENCODING": os.environ.get("PYTHONIOENCODING", encoding)}
        os.execve(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]], os.environ | settings)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def mark_success() -> None:
    """The work is done: this process may end without taking its objects apart."""
    _SUCCEEDED.set()


def _exit_at_once() -> None:
    if _SUCCEEDED.is_set():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


@contextmanager
def collected_rarely() -> Iterator[None]:
    """Keep the collector away from what the imports made ("gc"; part of the 0.6 s of `start`)."""
    if not enabled("gc"):
        yield
        return
    gc.freeze()
    gc.set_threshold(50_000)
    try:
        yield
    finally:
        gc.unfreeze()  # or triton, which torch imports, prints at the end what is left


def keep_freed_memory() -> None:
    """Let glibc keep the memory that this process frees ("malloc"); other C libraries stay as they are.

    Gains a tenth of a step of ResNet18 on a CPU: gradients and activations are freed and requested again at every step,
    and by glibc's own rules (mallopt(3)) the kernel clears their pages anew each time.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None and enabled("malloc"):
        mallopt(M_TRIM_THRESHOLD, -1)  # never give memory back
        mallopt(M_MMAP_MAX, 0)  # and request none from the kernel directly


def end_with_dvc() -> None:
    """Where DVC started this process, on Linux, be killed when DVC's own process ends, however it ends.

    The kernel's own signal (PR_SET_PDEATHSIG) watches the parent alone, which may be a shell or torchrun.
    """
    if "DVC_STAGE" in os.environ and sys.platform == "linux":
        dvc = _dvc_process()
        if dvc is not None:
            _end_with(dvc)


def worker_settings() -> dict[str, Any]:
    """Settings for joblib by which loky's workers end with this process; without them they would wait for more."""
    return {"initializer": end_with_parent, "initargs": (os.getpid(),)}


def end_with_parent(parent: int) -> None:
    """In a worker process, on Linux, be killed when its parent of this number ends, or at once where it has ended."""
    if sys.platform == "linux":
        _end_with(parent)
        if os.getppid() != parent:
            _kill_self()


def _end_with(number: int) -> None:
    try:
        watched = os.pidfd_open(number)
    except ProcessLookupError:
        _kill_self()

    def wait() -> None:
        select.select([watched], [], [])
        _kill_self()

    threading.Thread(target=wait, daemon=True).start()


def _dvc_process() -> int | None:
    """The nearest ancestor that DVC did not start as part of a stage; None where it is another user's.

    Where that is the system's first process, in another session, DVC ended while this process started, which ends too.
    """
    import psutil  # noqa: PLC0415 (no stage needs it that DVC did not start)

    try:
        for each in psutil.Process().parents():
            if each.pid == 1 and os.getsid(1) != os.getsid(0):
                _kill_self()
            if "DVC_STAGE" not in each.environ():
                return int(each.pid)
    except psutil.Error:
        pass
    return None


def _kill_self() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
