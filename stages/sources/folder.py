"""A folder of photos, with a label file or as class folders; where every other source ends too.

Layout 1, a label file: `labels.csv` with a row per picture, the pictures below `images/`.
Layout 2, class folders: `face/<label>/...` and `emotion/<label>/...`.
Labels are compared without case and outer blanks. One task may be missing in both.
"""

import csv
import os
import re
import unicodedata
from collections import Counter
from pathlib import Path, PurePosixPath

import pandas as pd

from stages.errors import StudyError
from stages.params import Layout

LAYOUTS = """Two layouts work:
  1. a label file:    {labels} with the columns {columns}, and its pictures below {images}/
  2. class folders:   {folders}"""
CLUTTER = {"__macosx", "thumbs.db", "desktop.ini"}
OWN = {"id", "source_file", "label", "split", "group", "found", "taken"}  # names that later tables use for themselves
DELIMITERS = ",;\t"


def collect(layout: Layout, root: Path, unlabelled: bool = False) -> pd.DataFrame:
    """The pictures of a folder: file (relative to root), person, a column per task, then the extras.

    All columns are text, a missing value is an empty string; pictures without a label in any
    task are taken only if `unlabelled`. A file may be missing: reading it tells. Raises StudyError
    for a folder in neither layout, a label file that cannot be read, and a path that leaves the folder.
    """
    if not root.is_dir():
        raise StudyError(f"the photo folder {root} is not there; see data.folder.path in params.yaml")
    _inside(layout.images, "images")
    _inside(layout.labels, "labels")
    if (root / layout.labels).is_file():
        return _sorted_out(layout, _labelled(layout, root), unlabelled)
    folders = class_folders(layout, root)
    if folders is None:
        raise StudyError(
            f"the photos in {root} are in no layout that is known. Found there:\n{tree(root)}\n{_layouts(layout)}"
        )
    return _sorted_out(layout, folders, unlabelled)


def tree(root: Path, depth: int = 3, most: int = 40) -> str:
    """What a folder holds, for a message: its folders down to a depth, with counts by file ending."""
    lines = []
    for place, folders, files in os.walk(root):
        level = len(Path(place).relative_to(root).parts)
        folders[:] = sorted(name for name in folders if not is_hidden(name)) if level < depth else []
        kinds = Counter(Path(name).suffix.lower() or "no ending" for name in files if not is_hidden(name))
        counts = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) or "no files"
        lines.append(f"{'  ' * (level + 1)}{Path(place).name or place}/  {counts}")
    return "\n".join(lines[:most] + ([f"  ... and {len(lines) - most} more folders"] if len(lines) > most else []))


def _layouts(layout: Layout) -> str:
    names = ", ".join([layout.columns.file, *layout.columns.tasks().values()])
    folders = ", ".join(f"{task}/<label>/" for task in layout.columns.tasks())
    return LAYOUTS.format(labels=layout.labels, columns=names, images=layout.images, folders=folders)


def _labelled(layout: Layout, root: Path) -> pd.DataFrame:
    rows = _read_labels(root / layout.labels)
    columns = layout.columns
    found = ", ".join(rows.columns)
    if columns.file not in rows:
        raise StudyError(f"{root / layout.labels} has no column {columns.file!r} (columns.file); it has: {found}")
    wanted = {"person": columns.person, **columns.tasks()}
    from_pattern = {columns.person} if layout.person_pattern else set()
    for key, name in wanted.items():
        # A column under its usual name may be missing, as a task may; one that was named on purpose may not.
        if name and name not in rows and name != key and name not in from_pattern:
            raise StudyError(f"{root / layout.labels} has no column {name!r} (columns.{key}); it has: {found}")
    table = pd.DataFrame({"file": [_place(layout, root, *row) for row in enumerate(rows[columns.file], start=2)]})
    table["person"] = rows[columns.person] if columns.person in rows else _persons(layout, table["file"])
    for task, name in columns.tasks().items():
        # The person may serve as a label, also where only the file name tells it.
        table[task] = table["person"] if name == columns.person else rows.get(name, "")
    used = {columns.file, *filter(None, wanted.values()), *table.columns, *OWN}
    table = table.join(rows[[name for name in rows if name not in used]])
    if not any(name in rows or name in from_pattern for name in columns.tasks().values()):
        names = " or ".join(repr(name) for name in columns.tasks().values())
        raise StudyError(f"{root / layout.labels} has no label column {names}; it has: {found}. {_layouts(layout)}")
    return table


def _read_labels(path: Path) -> pd.DataFrame:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = file.readline()
            file.seek(0)
            delimiter = max(DELIMITERS, key=header.count)
            # strict: an unclosed quote is a fault, not a cell that runs to the end of the file
            rows = [row for row in csv.reader(file, delimiter=delimiter, strict=True) if any(map(str.strip, row))]
    except UnicodeDecodeError as error:
        raise StudyError(f"{path} is not in UTF-8 (at byte {error.start}); save it as CSV in UTF-8") from None
    except (csv.Error, OSError) as error:
        raise StudyError(f"{path} cannot be read as CSV: {error}") from None
    if not rows:
        raise StudyError(f"{path} is empty; it needs a header and a row per picture")
    names = [name.strip() for name in rows[0]]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise StudyError(f"{path} has the column {twice[0]!r} more than once")
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(names):
            raise StudyError(f"{path}, row {number}: {len(row)} cells where the header has {len(names)}")
    return pd.DataFrame([[cell.strip() for cell in row] for row in rows[1:]], columns=names, dtype=str)


def _place(layout: Layout, root: Path, row: int, name: str) -> str:
    """A picture's path below the root: below `images`, or as it stands where it is only there."""
    name = name.replace("\\", "/")
    try:
        _inside(name, f"{root / layout.labels}, row {row}")
    except StudyError as error:
        raise StudyError(f"{error}; pictures must lie below {root}") from None
    places = [PurePosixPath(layout.images, name), PurePosixPath(name)]
    for form in ("NFC", "NFD"):  # the same letters, stored in two ways by different systems
        for place in places:
            spelled = unicodedata.normalize(form, str(place))
            if (root / spelled).is_file():
                return spelled
    return str(places[0])


def _inside(name: str, where: str) -> None:
    parts = PurePosixPath(name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or "\0" in name or re.match(r"[A-Za-z]:", name):
        raise StudyError(f"{where}: the path {name!r} leaves the folder")


def class_folders(layout: Layout, root: Path) -> pd.DataFrame | None:
    """The files below <task>/<label>/, or below the same in `images`; None where there are none."""
    wanted = {task.lower(): task for task in layout.columns.tasks()}
    for base in (root, root / layout.images):
        rows = []
        for folder in sorted(base.iterdir()) if base.is_dir() else []:
            if folder.is_dir() and folder.name.lower() in wanted:
                rows += _class_files(root, folder, wanted[folder.name.lower()])
        if rows:
            table = pd.DataFrame(rows, columns=["file", "task", "label"])
            for task in layout.columns.tasks():
                table[task] = table["label"].where(table["task"] == task, "")
            table.insert(1, "person", _persons(layout, table["file"]))
            return table.drop(columns=["task", "label"])
    return None


def _class_files(root: Path, folder: Path, task: str) -> list[tuple[str, str, str]]:
    rows = []
    for label in sorted(folder.iterdir()):
        if label.is_dir() and not is_hidden(label.name):
            for file in sorted(label.rglob("*")):
                if file.is_file() and not any(map(is_hidden, file.relative_to(label).parts)):
                    rows.append((file.relative_to(root).as_posix(), task, label.name))
    return rows


def _persons(layout: Layout, files: "pd.Series[str]") -> list[str]:
    if not layout.person_pattern:
        return [""] * len(files)
    pattern = re.compile(layout.person_pattern)
    matches = (pattern.search(PurePosixPath(file).name) for file in files)
    return [(match.group(1) or "") if match else "" for match in matches]


def _sorted_out(layout: Layout, table: pd.DataFrame, unlabelled: bool) -> pd.DataFrame:
    tasks = list(layout.columns.tasks())
    for task in tasks:
        table[task] = [layout.rename.get(label, label) for label in map(label_form, table[task])]
    if not unlabelled:
        table = table[(table[tasks] != "").any(axis=1)]
    return table.sort_values(["file", *tasks], kind="stable", ignore_index=True)


def label_form(label: str) -> str:
    """The form in which labels are compared: no outer blanks, lower case, composed letters."""
    return unicodedata.normalize("NFC", label).strip().lower()


def is_hidden(name: str) -> bool:
    """Whether a name is a system's own, not the user's."""
    return name.startswith(".") or name.lower() in CLUTTER
