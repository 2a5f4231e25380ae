"""A folder of photos, with a label file or as class folders; where every other source ends too.

Layout 1, a label file: `labels.csv` with a row per picture, the pictures below `images/`.
Layout 2, class folders: `face/<label>/...` and `emotion/<label>/...`.
Labels are compared without case and outer blanks. One task may be missing in both.
"""

import csv
import re
import unicodedata
from collections import Counter
from pathlib import Path, PurePosixPath

import pandas as pd

from facestudy.errors import StudyError
from facestudy.project import copies
from facestudy.project.labels import label_form
from facestudy.project.sections import Layout

CLUTTER = {"__macosx", "thumbs.db", "desktop.ini"}
RESERVED = {"id", "source_file", "label", "split", "group", "faces_found", "crop"}  # columns of later tables
DELIMITERS = ",;\t"
MAX_LINES = 40


def collect(layout: Layout, root: Path) -> pd.DataFrame:
    """The labelled pictures of a folder: file (relative to root), person, a column per task, then the extras.

    All columns are text, a missing value is an empty string. A file may be missing, which reading it finds. Raises
    StudyError for a folder in neither layout, a label file that cannot be read, and a path that leaves the folder.
    """
    if not root.is_dir():
        raise StudyError(f"the photo folder {root} is not there; see data.folder.path in params.yaml")
    _check_inside(layout.images, "images")
    _check_inside(layout.labels, "labels")
    table = _from_label_file(layout, root) if (root / layout.labels).is_file() else class_folders(layout, root)
    if table is None:
        raise StudyError(
            f"the photos in {root} are in no layout that is known. Found there:\n{tree(root)}\n{_layouts(layout)}"
            + copies.hint()
        )
    tasks = list(layout.columns.tasks())
    for task in tasks:
        table[task] = [layout.rename.get(label, label) for label in map(label_form, table[task])]
    labelled = table[(table[tasks] != "").any(axis=1)]
    return labelled.sort_values(["file", *tasks], kind="stable", ignore_index=True)


def tree(root: Path) -> str:
    """What a folder holds, for a message: a line for each folder and file ending, with the count."""
    files = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
    shown = (file for file in files if not any(map(is_hidden, file.parts)))
    counts = sorted(Counter((f"{file.parent}/", file.suffix.lower() or "no ending") for file in shown).items())
    lines = [f"  {folder}  {count} {ending}" for (folder, ending), count in counts[:MAX_LINES]]
    return "\n".join([*lines, "  ..."] if len(counts) > MAX_LINES else lines or ["  no files"])


def _layouts(layout: Layout) -> str:
    columns = ", ".join([layout.columns.file, *layout.columns.tasks().values()])
    folders = ", ".join(f"{task}/<label>/" for task in layout.columns.tasks())
    return (
        "Two layouts work:\n"
        f"  1. a label file:    {layout.labels} with the columns {columns}, and its pictures below {layout.images}/\n"
        f"  2. class folders:   {folders}"
    )


def _from_label_file(layout: Layout, root: Path) -> pd.DataFrame:
    path, columns = root / layout.labels, layout.columns
    rows = _read_labels(path)
    names = ", ".join(rows.columns)
    if columns.file not in rows:
        raise StudyError(f"{path} has no column {columns.file!r} (columns.file); it has: {names}")
    wanted = {"person": columns.person, **columns.tasks()}
    from_pattern = {columns.person} if layout.person_pattern else set()
    for key, name in wanted.items():
        # A column under its usual name may be missing, as a task may; one that was named on purpose may not.
        if name and name not in rows and name != key and name not in from_pattern:
            raise StudyError(f"{path} has no column {name!r} (columns.{key}); it has: {names}")
    if not any(name in rows or name in from_pattern for name in columns.tasks().values()):
        missing = " or ".join(repr(name) for name in columns.tasks().values())
        raise StudyError(f"{path} has no label column {missing}; it has: {names}. {_layouts(layout)}")
    table = pd.DataFrame({"file": [_file(layout, root, *row) for row in enumerate(rows[columns.file], start=2)]})
    table["person"] = rows[columns.person] if columns.person in rows else _persons(layout, table["file"])
    for task, name in columns.tasks().items():
        # The person may serve as a label, also where only the file name holds it.
        table[task] = table["person"] if name == columns.person else rows.get(name, "")
    used = {columns.file, *wanted.values(), *table.columns, *RESERVED}
    return table.join(rows[[name for name in rows if name not in used]])


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


def _file(layout: Layout, root: Path, row: int, name: str) -> str:
    """A picture's path below the root: below `images`, or as it stands where it is only there."""
    name = name.replace("\\", "/")
    _check_inside(name, f"{root / layout.labels}, row {row}", f"; pictures must lie below {root}")
    candidates = [PurePosixPath(layout.images, name), PurePosixPath(name)]
    for form in ("NFC", "NFD"):  # the same letters, stored in two ways by different systems
        for candidate in candidates:
            spelled = unicodedata.normalize(form, str(candidate))
            if (root / spelled).is_file():
                return spelled
    return str(candidates[0])


def _check_inside(name: str, where: str, advice: str = "") -> None:
    parts = PurePosixPath(name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or "\0" in name or re.match(r"[A-Za-z]:", name):
        raise StudyError(f"{where}: the path {name!r} leaves the folder{advice}")


def class_folders(layout: Layout, root: Path) -> pd.DataFrame | None:
    """The files below <task>/<label>/, or below the same in `images`; None where there are none.

    Columns: file (relative to root), person, a column per task, all text.
    """
    tasks = list(layout.columns.tasks())
    by_name = {task.lower(): task for task in tasks}
    for base in (root, root / layout.images):
        rows = []
        for folder in sorted(base.iterdir()) if base.is_dir() else []:
            if folder.is_dir() and folder.name.lower() in by_name:
                rows += [(*row, by_name[folder.name.lower()]) for row in _class_files(root, folder)]
        if rows:
            table = pd.DataFrame(rows, columns=["file", "label", "task"])
            columns = {task: table["label"].where(table["task"] == task, "") for task in tasks}
            return pd.DataFrame({"file": table["file"], "person": _persons(layout, table["file"]), **columns})
    return None


def _class_files(root: Path, folder: Path) -> list[tuple[str, str]]:
    return [
        (file.relative_to(root).as_posix(), label.name)
        for label in sorted(folder.iterdir())
        if label.is_dir() and not is_hidden(label.name)
        for file in sorted(label.rglob("*"))
        if file.is_file() and not any(map(is_hidden, file.relative_to(label).parts))
    ]


def _persons(layout: Layout, files: "pd.Series[str]") -> list[str]:
    if not layout.person_pattern:
        return [""] * len(files)
    pattern = re.compile(layout.person_pattern)
    matches = (pattern.search(PurePosixPath(file).name) for file in files)
    return [(match.group(1) or "") if match else "" for match in matches]


def is_hidden(name: str) -> bool:
    """Whether a name is a system's own, not the user's."""
    return name.startswith(".") or name.lower() in CLUTTER
