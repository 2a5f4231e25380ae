"""Errors that a user sees: what happened, where, and what to do. Never a traceback."""

import errno
import gc
import sys
from collections.abc import Callable

from stages import dvc_process

_NO_MEMORY = "error: {}: not enough memory; close other programs, or take a smaller batch_size or preprocess.size"
_MEMORY_WORDS = ("can't allocate memory", "out of memory", "can't start new thread")
_AGAIN = "and run `dvc repro` again"
_WHAT_TO_DO = {
    errno.ENOSPC: f"; free some, {_AGAIN}",
    errno.EDQUOT: f"; free some, {_AGAIN}",
    errno.EACCES: f"; give yourself the right to it, {_AGAIN}",
    errno.EPERM: f"; give yourself the right to it, {_AGAIN}",
    errno.EROFS: f"; make it writable, {_AGAIN}",
    errno.ENOENT: f" any more; bring it back, {_AGAIN}",
}


class StudyError(Exception):
    """A fault of input, told in full by its message; `main` prints it and exits with 1."""


def seed_of(text: str) -> int:
    """The seed that a command line names. Raises StudyError for anything but a whole number from 0 on."""
    if not text.isdecimal():
        raise StudyError(f"{text!r} is no seed; give a whole number from 0 on, as under `seeds` in params.yaml")
    return int(text)


def main(stage: Callable[..., None], *arguments: object) -> None:
    """Run a stage from the command line, and end the process; a StudyError becomes one message on standard error."""
    dvc_process.end_with_it()
    gc.freeze()  # what the imports made stays; the collector need not look at it again
    gc.set_threshold(50_000)
    try:
        stage(*arguments)
        sys.stdout.flush()  # here, so that a full disk under it is told as one
    except StudyError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(f"{stage.__name__} was interrupted; the next `dvc repro` goes on from here")
    except MemoryError:
        sys.exit(_NO_MEMORY.format(stage.__name__))
    except OSError as error:
        if error.errno is None:
            raise
        place = error.filename or stage.__name__
        sys.exit(f"error: {place}: {error.strerror}{_WHAT_TO_DO.get(error.errno, '')}")
    except Exception as error:
        if any(words in str(error) for words in _MEMORY_WORDS):  # torch's, whose class is RuntimeError's at times
            sys.exit(_NO_MEMORY.format(stage.__name__))
        raise
    finally:
        gc.unfreeze()  # or triton, which torch imports, tells at the end of what it was left with
    dvc_process.leave()
