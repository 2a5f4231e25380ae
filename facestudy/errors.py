"""Errors that a user sees: what happened, where, and what to do. Never a traceback."""

import errno

_AGAIN = "and run `dvc repro` again"
_ADVICE = {
    errno.ENOSPC: f"; free some, {_AGAIN}",
    errno.EDQUOT: f"; free some, {_AGAIN}",
    errno.EACCES: f"; give yourself the right to it, {_AGAIN}",
    errno.EPERM: f"; give yourself the right to it, {_AGAIN}",
    errno.EROFS: f"; make it writable, {_AGAIN}",
    errno.ENOENT: f" any more; bring it back, {_AGAIN}",
}
_OUT_OF_MEMORY = ("can't allocate memory", "out of memory", "can't start new thread")


class StudyError(Exception):
    """A fault of input, whose message is complete; `stage.main` prints it and exits with 1."""


def message_of(error: Exception, work: str) -> str | None:
    """The message for a fault that its user can mend (input, disk, permission, memory); None for a bug."""
    if isinstance(error, StudyError):
        return f"error: {error}"
    # torch's error for it is a RuntimeError at times
    if isinstance(error, MemoryError) or any(words in str(error) for words in _OUT_OF_MEMORY):
        return f"error: {work}: not enough memory; close other programs, or set a smaller batch_size or preprocess.size"
    if isinstance(error, OSError) and error.errno is not None:
        return f"error: {error.filename or work}: {error.strerror}{_ADVICE.get(error.errno, '')}"
    return None
