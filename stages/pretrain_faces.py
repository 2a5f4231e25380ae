"""Pack the faces that the networks are pretrained on: drawn people that no other stage sees, and a folder's photos.

In: nothing, or the labelled folder at weights.pretrain.path and, to leave out the study's own photos, data/raw/.
Out: data/prepared/pretrain/images.npy, uint8 (N, size, size, 3) in RGB, and index.csv (file, person, emotion,
origin, faces_found, crop), row i for picture i. Where weights.source is not `pretrain`, both are empty.
metrics/pretraining.json, the counts.

The drawn people are there beside a folder's photos too: most folders have few photos of a person, from which a network
does not learn what a person is.

The stage depends on data/raw for drawn faces too. After a change of the study's photos these are drawn again, but they
have the same bytes, so that nothing is pretrained again.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from facestudy.contracts.counts import PretrainingReport
from facestudy.csv_writer import write_csv
from facestudy.errors import StudyError
from facestudy.faces.packing import pack
from facestudy.photos.similarity import Fingerprints
from facestudy.project import parameters, paths
from facestudy.project.files import whole_folder, write_json
from facestudy.project.sections import Columns, Layout, Preprocess
from facestudy.project.tables import read_csv
from facestudy.sources import folder as labelled_folder
from facestudy.stage import run
from facestudy.synthetic import photo_sets

COLUMNS = ["file", "person", "emotion", "origin"]


def pretrain_faces() -> None:
    """Write all three; StudyError where the folder cannot be read or no picture of it can be used."""
    settings = parameters.read()
    data, columns = settings.data, settings.weights.pretrain.columns
    drawn = photos = study = pd.DataFrame(columns=[*COLUMNS, "path"])
    kinds = pd.Series(dtype=str)
    with TemporaryDirectory() as temporary:
        if settings.weights.source != "pretrain":
            print(f"weights.source is {settings.weights.source}: nothing to pretrain on is needed")
        else:
            people, pictures = settings.weights.pretrain.people, settings.weights.pretrain.pictures
            root = Path(temporary)
            drawn = photo_sets.collect_pretraining(
                people, pictures, data.sample.emotions, data.sample.size, settings.seed, root
            )
            drawn = drawn.assign(origin="drawn", path=[root / file for file in drawn["file"]])
            if settings.weights.pretrain.source == "folder":
                photos = _labelled(columns, Path(settings.weights.pretrain.path), data.layout())
                study = read_csv(paths.RAW / "index.csv")
                kinds = _kinds_of_copies(list(photos["path"]), study, data.max_megapixels)
                photos = photos.drop(kinds.index)
        packed = _pack(settings.preprocess, data.max_megapixels, pd.concat([drawn, photos], ignore_index=True))
    shared = set(photos["person"]) & set(study["person"]) - {""}
    of_shared = packed["person"].isin(shared)
    report = PretrainingReport(
        pictures=len(packed),
        people=packed.loc[packed["person"] != "", "person"].nunique(),
        exact_copies=int((kinds == "exact copy").sum()),
        near_copies=int((kinds == "near copy").sum()),
        shared_people=packed.loc[of_shared, "person"].nunique(),
        pictures_of_them=int(of_shared.sum()),
    )
    write_json(paths.PRETRAINING_REPORT, report)
    if len(kinds) or len(shared):
        print(
            f"pretrain: left out {report.exact_copies} exact and {report.near_copies} near copies of the study's "
            f"pictures; {report.shared_people} people (on {report.pictures_of_them} pictures) are named as somebody in "
            "the study"
        )


def _labelled(columns: Columns, root: Path, study: Layout | None) -> pd.DataFrame:
    """The pictures of the folder that have a label; its persons are renamed as those of the study's source are."""
    if not (root / "labels.csv").is_file():
        raise StudyError(
            f"weights.pretrain.path: {root / 'labels.csv'} is not there; give a folder with labels.csv and images/, "
            "or take weights.pretrain.source: sample, which needs none"
        )
    # The person is a label here: a picture without an expression still teaches who it is.
    columns = columns.model_copy(update={"face": columns.person})
    try:
        table = labelled_folder.collect(Layout(columns=columns), root)
    except StudyError as error:
        raise StudyError(f"weights.pretrain: {error}") from None
    if study is not None and study.person_is_label():
        table["person"] = table["person"].map(study.renamed)
    table = table.assign(origin="photo", path=[root / file for file in table["file"]])
    return table if columns.emotion else table.assign(emotion="")


def _kinds_of_copies(files: list[Path], study: pd.DataFrame, max_megapixels: float) -> "pd.Series[str]":
    """Exact copy or near copy, by the position of those files that have a copy among the study's pictures."""
    own = Fingerprints.of(files, max_megapixels)
    theirs = Fingerprints.of([paths.RAW / "images" / file for file in study["file"]])
    kinds: dict[int, str] = {}
    for number, _, correlation in own.copies_in(theirs):
        kinds[number] = "exact copy" if correlation == 1 else kinds.get(number, "near copy")
    return pd.Series(kinds, dtype=str)


def _pack(settings: Preprocess, max_megapixels: float, pictures: pd.DataFrame) -> pd.DataFrame:
    """Pack the pictures at `path`; the index of those that are packed."""
    with whole_folder(paths.prepared(paths.PRETRAIN_PEOPLE)) as target:
        rows = pack(list(pictures["path"]), settings, max_megapixels, target / "images.npy")
        table = pictures[COLUMNS].join(rows[["faces_found", "crop"]])
        packed = table[table["crop"] != "leave_out"]
        for origin, part in table.groupby("origin"):
            if not (packed["origin"] == origin).any():
                raise StudyError(f"of {len(part)} pictures to pretrain on ({origin}) none can be used")
        write_csv(target / "index.csv", packed)
    if len(table):
        unreadable = int((rows["unreadable"] != "").sum())
        counts = table["faces_found"].value_counts().items()
        faces = ", ".join(f"{kind or 'unreadable'} {count}" for kind, count in counts)
        print(f"pretrain: {len(packed)} of {len(table)} pictures packed; faces found: {faces}; {unreadable} unreadable")
    return packed


if __name__ == "__main__":
    run(pretrain_faces)
