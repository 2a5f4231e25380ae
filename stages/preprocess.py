"""Find, cut, resize and pack the faces of a task.

In: data/raw/images/, data/raw/index.csv and data/splits/<task>.csv.
Out: data/prepared/<task>/images.npy, uint8 (N, size, size, 3) in RGB, and index.csv, row i for
picture i; metrics/<task>/preprocess.json, with the pictures per class in which one face, none or
several were found, and those left out.
"""

import sys
from typing import Any

import pandas as pd

from stages import params, paths
from stages.errors import StudyError, main
from stages.faces.pack import pack
from stages.writing import read_csv, whole_folder, write_csv, write_json

# Columns of data/raw/index.csv that say who and what; the label stands in the split, the rest is passed on.
LABELS = ["person", "face", "emotion", "source_file"]
FOUND = ("one", "none", "several")


def preprocess(task: str) -> None:
    """Pack the pictures of a task; StudyError where a class loses all its pictures of a split."""
    settings, max_megapixels = params.read("preprocess", "data.max_megapixels")
    pictures = _described(task)
    files = [paths.RAW / "images" / file for file in pictures["file"]]
    with whole_folder(paths.prepared(task)) as folder:
        rows = pack(files, settings, max_megapixels, folder / "images.npy")
        _refuse_unreadable(pictures, rows)
        pictures.insert(4, "found", rows["found"])
        pictures.insert(5, "taken", rows["taken"])
        left_out = pictures["taken"] == "leave_out"
        _refuse_emptied(task, pictures, left_out)
        write_csv(folder / "index.csv", pictures[~left_out])
    report = _report(task, pictures, left_out)
    write_json(paths.task_metrics(task) / "preprocess.json", report)
    print(f"{task}: {report['reason']}" if report["reason"] else _told(task, report))


def _described(task: str) -> pd.DataFrame:
    """The split's rows, with what the source knows about each picture beside them."""
    if not paths.split(task).is_file():
        raise StudyError(f"{paths.split(task)} is not there; is {task!r} a task of params.yaml, and is it split?")
    split = read_csv(paths.split(task))
    known = read_csv(paths.RAW / "index.csv")
    extras = known.drop(columns=[name for name in [*LABELS, task] if name in known])
    table = split.merge(extras, on="file", how="left", validate="one_to_one", indicator=True)
    lost = table.loc[table["_merge"] == "left_only", "file"]
    if len(lost):
        raise StudyError(
            f"{paths.split(task)} names {lost.iloc[0]}, which {paths.RAW / 'index.csv'} does not; "
            "run `dvc repro` from the split on"
        )
    return table.drop(columns="_merge")


def _refuse_unreadable(pictures: pd.DataFrame, rows: pd.DataFrame) -> None:
    faulty = rows.index[rows["unreadable"] != ""]
    if len(faulty):
        file, reason = pictures.loc[faulty[0], "file"], rows.loc[faulty[0], "unreadable"]
        raise StudyError(
            f"{len(faulty)} pictures of data/raw cannot be read, first {paths.RAW / 'images' / str(file)}: {reason}; "
            "run `dvc repro --force download` to bring them in again"
        )


def _refuse_emptied(task: str, pictures: pd.DataFrame, left_out: pd.Series) -> None:
    before = pictures.groupby(["split", "label"]).size()
    after = pictures[~left_out].groupby(["split", "label"]).size().reindex(before.index, fill_value=0)
    emptied = after[after == 0].index
    if len(emptied):
        names = "\n".join(f"  {split}, {label}: 0 of {before[split, label]} left" for split, label in emptied)
        raise StudyError(
            f"task {task!r}: leaving out pictures without one clear face empties a class:\n{names}\n"
            "take preprocess.no_face: whole and preprocess.several_faces: largest, or add pictures"
        )


def _report(task: str, pictures: pd.DataFrame, left_out: pd.Series) -> dict[str, Any]:
    labels = sorted(pictures["label"].unique())
    found = pd.crosstab(pictures["label"], pictures["found"]).reindex(columns=FOUND, fill_value=0)
    gone = pictures[left_out]
    return {
        "reason": None if labels else f"no picture has a label for the task {task!r}",
        "found": {label: {kind: int(found.loc[label, kind]) for kind in FOUND} for label in labels},
        "left_out": {label: int((gone["label"] == label).sum()) for label in labels},
        "left_out_files": gone["file"].tolist(),
    }


def _told(task: str, report: dict[str, Any]) -> str:
    table = pd.DataFrame(report["found"]).T
    table["left_out"] = pd.Series(report["left_out"])
    table.loc["all"] = table.sum()
    return f"{task}: faces found\n{table.to_string()}"


if __name__ == "__main__":
    main(preprocess, *sys.argv[1:])
