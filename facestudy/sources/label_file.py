"""A label file: the table of another program, and the pictures that its rows name."""

import csv
import io
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

import pandas as pd

from facestudy.errors import StudyError
from facestudy.project.labels import clean, label_form

DELIMITERS = ",;\t|"
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?', re.IGNORECASE)  # how Excel is told the delimiter


def read_table(path: Path, wanted: Sequence[str]) -> pd.DataFrame:
    """The rows of a label file, all text without outer blanks, numbered as they are in the file.

    A `wanted` column, the first of which holds the files, is found as labels are compared, and has the name that is
    given here. Columns without a name are left out; of other columns that share a name all but the first get a number.
    Cells that are missing at the end of a row, as spreadsheets write it, are empty, and told. Raises StudyError for a
    file that cannot be read, a row that may mean something else, and a wanted column that is there twice.
    """
    rows = _rows(path)
    number, header = rows.pop(0)
    names = _named(path, [clean(name) for name in header], wanted)
    width = max((position for position, name in enumerate(names, start=1) if name), default=0)
    file = names.index(wanted[0]) if wanted[0] in names else width
    short = []
    for number, cells in rows:
        if any(map(clean, cells[max(width, len(header)) :])) or (len(cells) < width and _is_unclear(cells, file)):
            raise StudyError(f"{path}, row {number}: {len(cells)} cells where the header has {width}")
        if len(cells) < width:
            short.append(number)
            cells.extend([""] * (width - len(cells)))
    if short:
        print(
            f"{path}: {len(short)} rows end before the header does, the first is row {short[0]}; "
            "their missing cells count as empty"
        )
    kept = [position for position, name in enumerate(names) if name]
    return pd.DataFrame(
        [[cells[position].strip() for position in kept] for _, cells in rows],
        columns=[names[position] for position in kept],
        index=[number for number, _ in rows],
        dtype=str,
    )


def _is_unclear(cells: list[str], file: int) -> bool:
    """Whether a row may be short for another reason than empty cells at its end.

    It names no file, another delimiter divides it, or a quote that was not closed has swallowed the rows below.
    """
    divided = len(cells) == 1 and any(delimiter in cells[0] for delimiter in DELIMITERS)
    return not any(map(clean, cells[file : file + 1])) or divided or any("\n" in cell for cell in cells)


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """Number and cells of each row that is not empty, the header first."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        header = re.search(r"[^\r\n]+", text)
        first = header.group() if header else ""
        told = SEPARATOR_LINE.fullmatch(first)
        unquoted = re.sub(r'"[^"]*"', "", first)
        delimiter = told.group(1) if told else max(DELIMITERS, key=unquoted.count)
        # strict: an unclosed quote is a fault, not a cell that runs to the end of the file
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        rows = [(number, cells) for number, cells in enumerate(reader, start=1) if any(map(clean, cells))]
    except UnicodeDecodeError as error:
        raise StudyError(f"{path} is not in UTF-8 (at byte {error.start}); save it as CSV in UTF-8") from None
    except (csv.Error, OSError, ValueError) as error:
        raise StudyError(f"{path} cannot be read as CSV: {error}") from None
    rows = rows[1:] if told else rows
    if not rows:
        raise StudyError(f"{path} is empty; it needs a header and a row per picture")
    return rows


def _named(path: Path, names: list[str], wanted: Iterable[str]) -> list[str]:
    """The header with the wanted names as they are wanted, and no other name twice."""
    wanted = list(wanted)
    for name in wanted:
        alike = [position for position, each in enumerate(names) if each == name]
        alike = alike or [position for position, each in enumerate(names) if label_form(each) == label_form(name)]
        if len(alike) > 1:
            raise StudyError(f"{path} has the column {name!r} more than once")
        if alike and names[alike[0]] not in wanted:
            names[alike[0]] = name
    seen: Counter[str] = Counter()
    for position, name in enumerate(names):
        seen[name] += bool(name)
        while seen[name] > 1 and f"{name} ({seen[name]})" in names:
            seen[name] += 1
        if seen[name] > 1:
            names[position] = f"{name} ({seen[name]})"
    return names


def located(root: Path, images: str, name: str, where: str) -> str:
    """A picture's path below the root: below `images`, or as it stands where it is only there."""
    name = name.replace("\\", "/")
    check_inside(name, where, f"; pictures must lie below {root}")
    candidates = [PurePosixPath(images, name), PurePosixPath(name)]
    for form in ("NFC", "NFD"):  # the same letters, stored in two ways by different systems
        for candidate in candidates:
            spelled = unicodedata.normalize(form, str(candidate))
            if os.path.isfile(root / spelled):  # noqa: PTH113 - false for a name that is too long, no error
                return spelled
    return str(candidates[0])


def check_inside(name: str, where: str, advice: str = "") -> None:
    """Raise StudyError for a path that leaves the folder it is relative to."""
    parts = PurePosixPath(name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or "\0" in name or re.match(r"[A-Za-z]:", name):
        raise StudyError(f"{where}: the path {name!r} leaves the folder{advice}")
