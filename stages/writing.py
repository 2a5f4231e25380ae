"""Files written whole or not at all: to a temporary name beside the target, then moved into place."""

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd


@contextmanager
def whole_file(target: Path, durable: bool = False) -> Iterator[Path]:
    """A path to write to; it becomes `target` when the block ends without an error.

    A process killed within leaves the temporary file behind; it has one name, so that the next takes its place.
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


def write_over(target: Path, parts: Iterable[memoryview]) -> None:
    """Write over a file where it lies; on the disk when this returns. For what another file vouches for."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("r+b" if target.exists() else "wb") as file:
        for part in parts:
            file.write(part)
        file.flush()
        os.fsync(file.fileno())
    _sync(target.parent)


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


def write_json(target: Path, values: Any) -> None:
    """Write indented JSON; NaN and infinity are refused with a ValueError, since JSON has neither."""
    write_text(target, json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_csv(target: Path, table: pd.DataFrame) -> None:
    """Write a table without its row numbers; floats keep every digit, so that they read back the same."""
    write_text(target, table.to_csv(index=False, lineterminator="\n"))


def read_csv(path: Path) -> pd.DataFrame:
    """Read a table as text: every column str, an empty cell an empty string."""
    return pd.read_csv(path, dtype=str, keep_default_na=False)
