"""Run a stage from its command line: arguments in, one message on standard error where it fails."""

import inspect
import sys
from collections.abc import Callable

from facestudy import process
from facestudy.errors import StudyError, message_of


def run(stage: Callable[..., None]) -> None:
    """Run a stage with the arguments of the command line; one that the stage annotates as int is a seed."""
    main(stage, *sys.argv[1:], in_pipeline=True)


def main(work: Callable[..., None], *arguments: object, in_pipeline: bool = False) -> None:
    """Do the work and end the process: with 0, or with 1 and a message that is no traceback.

    `in_pipeline`: the work is a stage, and messages name `dvc repro` as what runs it again.
    """
    name = work.__name__
    process.write_any_text()
    process.end_with_dvc()
    try:
        with process.collected_rarely():
            _call(work, arguments)
        sys.stdout.flush()  # here, so that a full disk under it gets its message
    except KeyboardInterrupt:
        sys.exit(f"{name} was interrupted{'; the next `dvc repro` continues from here' if in_pipeline else ''}")
    except Exception as error:
        message = message_of(error, name, in_pipeline)
        if message is None:
            raise
        sys.exit(message)
    process.mark_success()


def _call(work: Callable[..., None], arguments: tuple[object, ...]) -> None:
    signature = inspect.signature(work)
    try:
        bound = signature.bind(*arguments)
    except TypeError:
        names = " ".join(name.upper() for name in signature.parameters) or "no arguments"
        given = " ".join(map(str, arguments)) or "none"
        raise StudyError(f"{work.__name__} takes {names}; given: {given}") from None
    for name, value in bound.arguments.items():
        if signature.parameters[name].annotation is int and isinstance(value, str):
            bound.arguments[name] = _seed(value)
    work(*bound.args)


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise StudyError(f"{text!r} is not a seed; give a whole number from 0 on, as under `seeds` in params.yaml")
    return int(text)
