"""One value in a JSON file or a table, by what the command line names it."""

import csv
import json
import math
from pathlib import Path
from typing import Any

from facestudy.errors import StudyError, printable
from facestudy.tracing.described import read_json, read_table
from facestudy.tracing.records import closest


def value(path: Path, key: str) -> str:
    """The value as text: of a JSON file by its dotted key, of a CSV file by VALUE,...,COLUMN of its first columns.

    Raises StudyError with what there is, where there is no such value.
    """
    if path.suffix == ".json":
        return json.dumps(_of_json(path, read_json(path), key, ""), ensure_ascii=False)
    if path.suffix == ".csv":
        return _of_table(path, key)
    raise StudyError(
        f"{path} has no values that a key could name (a JSON file has, a CSV file, and plots/report.md its sentences); "
        f"`facestudy trace {path}` is about the whole file"
    )


def _of_json(path: Path, values: Any, key: str, above: str) -> Any:
    """The longest name that fits is taken, for names may have dots in them, as in epochs_to.0.90."""
    if not key:
        return values
    names = {str(name): name for name in (values if isinstance(values, dict) else range(len(_list(values))))}
    fitting = [name for name in names if key == name or key.startswith(f"{name}.")]
    if not fitting:
        inside = f"{path}:{above}" if above else path
        there = ", ".join(list(names)[:40]) + (" ..." if len(names) > 40 else "") or "no key, but a value"
        raise StudyError(f"{inside} has no {key!r}{closest(key.partition('.')[0], names)}\nIt has {there}")
    name = max(fitting, key=len)
    return _of_json(path, values[names[name]], key[len(name) + 1 :], f"{above}.{name}".strip("."))


def _list(values: Any) -> list[Any]:
    return values if isinstance(values, list) else []


def _of_table(path: Path, key: str) -> str:
    head, rows = read_table(path)
    *wanted, column = _cells(key)
    if column not in head:
        raise StudyError(f"{path} has no column {column!r}{closest(column, head)}\nIt has {', '.join(head)}")
    if len(wanted) >= len(head):
        raise StudyError(f"{path} has {len(head)} columns, too few for {key!r}; a row is named by its first columns")
    found = [row for row in rows if all(_same(cell, text) for cell, text in zip(row, wanted, strict=False))]
    if len(found) == 1:
        return found[0][head.index(column)]
    form = f"{path}:{','.join([*(name.upper() for name in head[: len(wanted) + 1]), column])}"
    if not found:
        known = {row[len(wanted) - 1] for row in rows if wanted}
        near = closest(wanted[-1], known) if wanted else ""
        raise StudyError(f"{path} has no row {', '.join(wanted)}{near}; a row is named by its first columns: {form}")
    raise StudyError(f"{path} has {len(found)} such rows; name one by its first columns: {form}")


def _cells(key: str) -> list[str]:
    """The parts of a key, which is a row of a table in its turn."""
    try:
        return next(csv.reader([key]), []) or [""]
    except csv.Error as error:
        raise StudyError(f"{printable(key[:80])!r} names no cell ({error}); write ROW,COLUMN") from None


def _same(cell: str, text: str) -> bool:
    try:
        return cell == text or math.isclose(float(cell), float(text))
    except ValueError:
        return False
