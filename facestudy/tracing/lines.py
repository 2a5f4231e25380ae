"""Plain text of a few columns, for a terminal."""

import json
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

from facestudy.errors import printable

WIDTH = 120
COLUMN = 13  # of what a line is about


def line(about: str, text: str) -> str:
    """One fact: what it is about, then the text, wrapped where it is long."""
    start = f"  {about:<{COLUMN - 1}} "
    whole = textwrap.wrap(text, WIDTH, initial_indent=start, subsequent_indent=" " * len(start), **_KEEP) or [start]
    return "\n".join(each.rstrip() for each in whole)


def lines(about: str, texts: Iterable[str]) -> list[str]:
    """One fact a line, what they are about at the first."""
    return [line("" if number else about, text) for number, text in enumerate(texts)]


def values(pairs: Mapping[str, Any]) -> str:
    """Keys and values in a line, as YAML would have them: `lr: 0.001; batch_size: 32`."""
    return "; ".join(f"{key}: {plain(value)}" for key, value in pairs.items())


def plain(value: Any) -> str:
    """A value of JSON or YAML as text; of a long list its length."""
    if isinstance(value, list) and len(value) > 12:
        return f"{len(value)} values"
    return printable(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


_KEEP: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False}
