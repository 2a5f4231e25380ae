"""A folder of photos, with a label file or as class folders; where every other source ends too.

Layout 1, a label file: `labels.csv` with a row per picture, the pictures below `images/`.
Layout 2, class folders: `face/<label>/...` and `emotion/<label>/...`.
Both together: class folders give the labels of the tasks for which the label file has none.
Labels and persons are compared in the form of facestudy/project/labels.py. One task may be missing in both.
"""

import re
from collections import Counter
from pathlib import Path, PurePosixPath

import pandas as pd

from facestudy.errors import StudyError, printable
from facestudy.project import copies
from facestudy.project.labels import label_form
from facestudy.project.photo_folders import is_clutter, obstacles
from facestudy.project.sections import Layout
from facestudy.sources.label_file import check_inside, located, read_table

RESERVED = {"id", "source_file", "label", "split", "group", "faces_found", "crop"}  # columns of later tables
MAX_LINES = 40


def collect(layout: Layout, root: Path) -> pd.DataFrame:
    """The labelled pictures of a folder: file (relative to root), person, a column per task, then the extras.

    All columns are text, a missing value is an empty string; labels and persons are in the form in which they are
    compared. A file may be missing, which reading it finds. Prints what is left aside. Raises StudyError for a folder
    in neither layout, what cannot be read in it (project/photo_folders.py), a label file that cannot be read, and a
    path that leaves the folder.
    """
    if not root.is_dir():
        raise StudyError(f"the photo folder {root} is not there; see data.folder.path in params.yaml")
    if found := obstacles(root):
        raise StudyError(f"not all in {root} can be read:\n" + "\n".join(f"  {obstacle}" for obstacle in found))
    check_inside(layout.images, "images")
    check_inside(layout.labels, "labels")
    folders = class_folders(layout, root)
    table = folders
    if (root / layout.labels).is_file():
        table = _joined(layout, _from_label_file(layout, root, folders is not None), folders)
    if table is None:
        raise StudyError(
            f"the photos in {root} are in no layout that is known. Found there:\n{tree(root)}\n{_layouts(layout)}"
            + copies.hint()
        )
    tasks = list(layout.columns.tasks())
    given = set[str]()
    for column in ["person", *tasks]:
        table[column] = table[column].map(label_form)
        if column != "person" or layout.person_is_label():
            given |= set(table[column])
            table[column] = table[column].map(layout.renamed)
    unused = ", ".join(repr(label) for label in layout.rename if label not in given)
    if unused:
        print(f"rename: no picture has the label {unused}")
    labelled = table[(table[tasks] != "").any(axis=1)]
    return labelled.sort_values(["file", *tasks], kind="stable", ignore_index=True)


def tree(root: Path) -> str:
    """What a folder holds, for a message: a line for each folder and file ending, with the count."""
    files = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
    shown = (file for file in files if not any(map(is_clutter, file.parts)))
    counts = sorted(Counter((f"{file.parent}/", file.suffix.lower() or "no ending") for file in shown).items())
    lines = [printable(f"  {folder}  {count} {ending}") for (folder, ending), count in counts[:MAX_LINES]]
    return "\n".join([*lines, "  ..."] if len(counts) > MAX_LINES else lines or ["  no files"])


def _layouts(layout: Layout) -> str:
    columns = ", ".join([layout.columns.file, *layout.columns.tasks().values()])
    folders = ", ".join(f"{task}/<label>/" for task in layout.columns.tasks())
    return (
        "Two layouts work:\n"
        f"  1. a label file:    {layout.labels} with the columns {columns}, and its pictures below {layout.images}/\n"
        f"  2. class folders:   {folders}"
    )


def _from_label_file(layout: Layout, root: Path, with_folders: bool) -> pd.DataFrame:
    path, columns = root / layout.labels, layout.columns
    wanted = {"person": columns.person, **columns.tasks()}
    rows = read_table(path, [columns.file, *filter(None, wanted.values())])
    names = ", ".join(rows.columns)
    if columns.file not in rows:
        raise StudyError(f"{path} has no column {columns.file!r} (columns.file); it has: {names}")
    from_pattern = {columns.person} if layout.person_pattern else set()
    for key, name in wanted.items():
        # A column under its usual name may be missing, as a task may; one that was named on purpose may not.
        if name and name not in rows and name != key and name not in from_pattern:
            raise StudyError(f"{path} has no column {name!r} (columns.{key}); it has: {names}")
    if not with_folders and not any(name in rows or name in from_pattern for name in columns.tasks().values()):
        missing = " or ".join(repr(name) for name in columns.tasks().values())
        raise StudyError(f"{path} has no label column {missing}; it has: {names}. {_layouts(layout)}")
    files = [located(root, layout.images, file, f"{path}, row {row}") for row, file in rows[columns.file].items()]
    table = pd.DataFrame({"file": files}, index=rows.index)
    table["person"] = rows[columns.person] if columns.person in rows else _persons(layout, table["file"])
    for task, name in columns.tasks().items():
        # The person may serve as a label, also where only the file name holds it.
        table[task] = table["person"] if name == columns.person else rows.get(name, "")
    extras = [name for name in rows if name not in {columns.file, *wanted.values()}]
    aside = [name for name in extras if name in RESERVED | {key for key, _ in columns}]
    if aside:
        print(f"{path}: left aside: {', '.join(aside)} (a column of later tables, or of `columns` in params.yaml)")
    return table.join(rows[[name for name in extras if name not in aside]])


def _joined(layout: Layout, rows: pd.DataFrame, folders: pd.DataFrame | None) -> pd.DataFrame:
    """The label file's rows, and the class folders of those tasks for which it has no label."""
    if folders is None:
        return rows
    tasks, listed = list(layout.columns.tasks()), folders["file"].isin(rows["file"])
    for task in tasks:
        if (rows[task] != "").any():
            unlisted = int(((folders[task] != "") & ~listed).sum())
            if unlisted:
                print(f"{task}/: {unlisted} pictures are left aside, for {layout.labels} has this task's labels")
            folders[task] = ""
        else:
            rows[task] = rows["file"].map(dict(zip(folders["file"], folders[task], strict=True))).fillna("")
    others = folders[~listed & (folders[tasks] != "").any(axis=1)]
    return pd.concat([rows, others], ignore_index=True).fillna("")


def class_folders(layout: Layout, root: Path) -> pd.DataFrame | None:
    """The files below <task>/<label>/, and below the same in `images`; None where there are none.

    Columns: file (relative to root), person, a column per task, all text.
    """
    tasks = list(layout.columns.tasks())
    by_name = {task.lower(): task for task in tasks}
    rows = []
    for base in dict.fromkeys((root, root / layout.images)):
        for folder in sorted(base.iterdir()) if base.is_dir() else []:
            if folder.is_dir() and folder.name.lower() in by_name:
                rows += [(*row, by_name[folder.name.lower()]) for row in _class_files(root, folder)]
    if not rows:
        return None
    table = pd.DataFrame(rows, columns=["file", "label", "task"])
    columns = {task: table["label"].where(table["task"] == task, "") for task in tasks}
    return pd.DataFrame({"file": table["file"], "person": _persons(layout, table["file"]), **columns})


def _class_files(root: Path, folder: Path) -> list[tuple[str, str]]:
    return [
        (file.relative_to(root).as_posix(), label.name)
        for label in sorted(folder.iterdir())
        if label.is_dir() and not is_clutter(label.name)
        for file in sorted(label.rglob("*"))
        if file.is_file() and not any(map(is_clutter, file.relative_to(label).parts))
    ]


def _persons(layout: Layout, files: "pd.Series[str]") -> list[str]:
    if not layout.person_pattern:
        return [""] * len(files)
    pattern = re.compile(layout.person_pattern)
    matches = (pattern.search(PurePosixPath(file).name) for file in files)
    return [(match.group(1) or "") if match else "" for match in matches]
