"""Files written whole or not at all: to a temporary name beside the target, then moved into place."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """A path to write to; it becomes `target` when the block ends without an error."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        yield temporary
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """An empty folder to fill; it replaces `target` when the block ends without an error."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    temporary.mkdir()
    try:
        yield temporary
        if target.exists():
            shutil.rmtree(target)
        temporary.replace(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


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
