"""Find, crop, resize and pack the faces of a task.

In: data/raw/images/, data/raw/index.csv and data/splits/<task>.csv.
Out: data/prepared/<task>/images.npy, uint8 (N, size, size, 3) in RGB; index.csv, row i for picture i: the split's
columns, faces_found (one | none | several), crop (face | whole), and what the source knows besides; settings.json, the
parameters, which exported models have too. metrics/<task>/preprocess.json, with the pictures per class in which one
face, none or several were found, and those left out.
"""

import pandas as pd

from facestudy.contracts.counts import PreprocessReport
from facestudy.contracts.exports import Preparation
from facestudy.csv_writer import write_csv
from facestudy.errors import StudyError
from facestudy.faces.packing import pack
from facestudy.project import parameters, paths
from facestudy.project.files import whole_folder, write_json
from facestudy.project.tables import read_csv
from facestudy.stage import run

# Columns of data/raw/index.csv that say who and what; the label is in the split, the rest is for other stages.
LABELS = ["person", "face", "emotion", "source_file"]
FACES_FOUND = ["one", "none", "several"]


def preprocess(task: str) -> None:
    """Pack the pictures of a task; StudyError where a class loses all its pictures of a split."""
    settings = parameters.read()
    pictures = _pictures(task)
    files = [paths.RAW / "images" / file for file in pictures["file"]]
    with whole_folder(paths.prepared(task)) as folder:
        rows = pack(files, settings.preprocess, settings.data.max_megapixels, folder / "images.npy")
        _check_readable(pictures["file"], rows["unreadable"])
        pictures.insert(4, "faces_found", rows["faces_found"])
        pictures.insert(5, "crop", rows["crop"])
        left_out = pictures["crop"] == "leave_out"
        _check_no_class_is_empty(task, pictures, pictures[~left_out])
        write_csv(folder / "index.csv", pictures[~left_out])
        preparation = Preparation(preprocess=settings.preprocess, max_megapixels=settings.data.max_megapixels)
        write_json(folder / "settings.json", preparation)
    labels = sorted(pictures["label"].unique())
    counts = pd.crosstab(pictures["label"], pictures["faces_found"]).reindex(labels, columns=FACES_FOUND, fill_value=0)
    counts["left_out"] = left_out.groupby(pictures["label"]).sum()
    report = PreprocessReport(
        reason=None if labels else f"no picture has a label for the task {task!r}",
        found=counts[FACES_FOUND].to_dict("index"),
        left_out=counts["left_out"].to_dict(),
        left_out_files=list(pictures.loc[left_out, "file"]),
    )
    write_json(paths.task_metrics(task) / "preprocess.json", report)
    counts.loc["all"] = counts.sum()
    table = counts.rename_axis(index=None, columns=None).to_string()
    print(f"{task}: {report.reason}" if report.reason else f"{task}: faces found\n{table}")


def _pictures(task: str) -> pd.DataFrame:
    """The split's rows, with what the source knows about each picture beside them."""
    split, index = read_csv(paths.split(task)), read_csv(paths.RAW / "index.csv")
    missing = split.loc[~split["file"].isin(index["file"]), "file"]
    if len(missing):
        raise StudyError(
            f"{paths.split(task)} names {missing.iloc[0]}, which {paths.RAW / 'index.csv'} does not; "
            "run `dvc repro` from the split on"
        )
    extras = index.drop(columns=[*LABELS, task], errors="ignore")
    return split.merge(extras, on="file", how="left", validate="one_to_one")


def _check_readable(files: "pd.Series[str]", problems: "pd.Series[str]") -> None:
    unreadable = problems[problems != ""]
    if len(unreadable):
        first = paths.RAW / "images" / files[unreadable.index[0]]
        raise StudyError(
            f"{len(unreadable)} pictures of data/raw cannot be read, first {first}: {unreadable.iloc[0]}; "
            "run `dvc repro --force download` to bring them in again"
        )


def _check_no_class_is_empty(task: str, before: pd.DataFrame, after: pd.DataFrame) -> None:
    counts, packed = (table.groupby(["split", "label"]).size() for table in (before, after))
    empty = counts.index.difference(packed.index)
    if len(empty):
        lines = "\n".join(f"  {split}, {label}: 0 of {counts[split, label]} left" for split, label in empty)
        raise StudyError(
            f"task {task!r}: leaving out pictures without one clear face empties a class:\n{lines}\n"
            "set preprocess.no_face: whole and preprocess.several_faces: largest, or add pictures"
        )


if __name__ == "__main__":
    run(preprocess)
