"""Files written whole or not at all: to a temporary name beside the target, then moved into place."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from facestudy.errors import StudyError


class Contract(BaseModel):
    """What one stage writes as JSON and another reads; a field that is not declared is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Unavailable(Contract):
    """What stands in place of a result that cannot be: of a task without labels."""

    reason: str = Field(description="why there is no result")


Model = TypeVar("Model", bound=Contract)


@contextmanager
def whole_file(target: Path, durable: bool = False) -> Iterator[Path]:
    """A path to write to; it becomes `target` when the block ends without an error.

    A process killed within leaves the temporary file behind; it has one name, so that the next replaces it.
    `durable`: the file is on the disk before it gets its name, and has it there when this returns.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(target)
    try:
        yield temporary
        if durable:
            _sync(temporary)
        temporary.replace(target)
        if durable:
            _sync(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """An empty folder to fill; it replaces `target` when the block ends without an error."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(target)
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        yield temporary
        if target.exists():
            shutil.rmtree(target)
        temporary.replace(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _temporary(target: Path) -> Path:
    return target.with_name(f".{target.name}.part")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(target: Path, text: str) -> None:
    """Write UTF-8 text with Unix line ends."""
    with whole_file(target) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(target: Path, values: Contract | Mapping[str, Any]) -> None:
    """Write indented JSON; NaN and infinity are refused with a ValueError, since JSON has neither."""
    plain = values.model_dump() if isinstance(values, Contract) else values
    write_text(target, json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path, contract: type[Model]) -> Model:
    """Read what `write_json` wrote. Raises StudyError where it is missing or not what the contract says."""
    try:
        return contract.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise missing(path) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise StudyError(f"{path}: {where}: {first['msg']}; delete the file and run `dvc repro`") from None


def read_result(path: Path, contract: type[Model]) -> Model | Unavailable:
    """As `read_json`, or the reason why there is no result."""
    try:
        return Unavailable.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return read_json(path, contract)


def sha256(path: Path) -> str:
    """The hash of a file's bytes, 64 hexadecimal digits. Raises StudyError where it is missing."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise missing(path) from None


def missing(path: Path) -> StudyError:
    """The error that names a file which an earlier stage should have written."""
    return StudyError(f"{path} is not there; `dvc repro` runs the stage that writes it")
