"""Errors that a user sees: what happened, where, and what to do. Never a traceback."""

import errno

_ADVICE = {
    errno.ENOSPC: "; free some",
    errno.EDQUOT: "; free some",
    errno.EACCES: "; give yourself the right to it",
    errno.EPERM: "; give yourself the right to it",
    errno.EROFS: "; make it writable",
    errno.ENOENT: " any more; bring it back",
}
_OUT_OF_MEMORY = ("can't allocate memory", "out of memory", "can't start new thread")


class StudyError(Exception):
    """A fault of input, whose message is complete; `stage.main` prints it and exits with 1."""


def message_of(error: Exception, work: str, in_pipeline: bool) -> str | None:
    """The message for a fault that its user can mend (input, disk, permission, memory); None for a bug.

    `in_pipeline`: the work is a stage, which `dvc repro` runs again.
    """
    again = "and run `dvc repro` again" if in_pipeline else "and try again"
    if isinstance(error, StudyError):
        return f"error: {error}"
    # torch's error for it is a RuntimeError at times
    if isinstance(error, MemoryError) or any(words in str(error) for words in _OUT_OF_MEMORY):
        less = "or set a smaller batch_size or preprocess.size" if in_pipeline else again
        return f"error: {work}: not enough memory; close other programs, {less}"
    if isinstance(error, OSError) and error.errno is not None:
        advice = f"{_ADVICE[error.errno]}, {again}" if error.errno in _ADVICE else ""
        return f"error: {error.filename or work}: {error.strerror}{advice}"
    return None


def printable(text: str) -> str:
    """Text, such as a path, for any terminal and file: what is not UTF-8 or not to be shown becomes a sign for it."""
    decoded = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(sign if sign.isprintable() else "�" for sign in decoded)
