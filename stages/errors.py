"""Errors that a user sees: what happened, where, and what to do. Never a traceback."""

import sys
from collections.abc import Callable

from stages import dvc_process


class StudyError(Exception):
    """A fault of input, told in full by its message; `main` prints it and exits with 1."""


def seed_of(text: str) -> int:
    """The seed that a command line names. Raises StudyError for anything but a whole number from 0 on."""
    if not text.isdecimal():
        raise StudyError(f"{text!r} is no seed; give a whole number from 0 on, as under `seeds` in params.yaml")
    return int(text)


def main(stage: Callable[..., None], *arguments: object) -> None:
    """Run a stage from the command line; a StudyError becomes one message on standard error."""
    dvc_process.end_with_it()
    try:
        stage(*arguments)
    except StudyError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(f"{stage.__name__} was interrupted; the next `dvc repro` goes on from here")
