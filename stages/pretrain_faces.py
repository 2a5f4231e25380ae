"""Pack the faces that the networks are pretrained on: drawn people that no other stage sees, or a folder.

In: nothing, or the labelled folder at weights.pretrain.path.
Out: data/prepared/pretrain/images.npy, uint8 (N, size, size, 3) in RGB, and index.csv (file, person,
emotion, faces_found, crop), row i for picture i. Where weights.source is not `pretrain`, both are empty.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from facestudy.csv_writer import write_csv
from facestudy.errors import StudyError
from facestudy.faces.packing import pack
from facestudy.project import parameters, paths
from facestudy.project.files import whole_folder
from facestudy.project.sections import Columns, Layout, Parameters
from facestudy.sources import folder as labelled_folder
from facestudy.stage import run
from facestudy.synthetic import photo_sets

COLUMNS = ["file", "person", "emotion"]


def pretrain_faces() -> None:
    """Write data/prepared/pretrain/; StudyError where the folder cannot be read or no picture of it can be used."""
    settings = parameters.read()
    if settings.weights.source != "pretrain":
        _write(settings, Path(), pd.DataFrame(columns=COLUMNS))
        print(f"weights.source is {settings.weights.source}: nothing to pretrain on is needed")
    elif settings.weights.pretrain.source == "folder":
        root = Path(settings.weights.pretrain.path)
        _write(settings, root, _labelled(settings.weights.pretrain.columns, root))
    else:
        people, pictures = settings.weights.pretrain.people, settings.weights.pretrain.pictures
        emotions, size = settings.data.sample.emotions, settings.data.sample.size
        with TemporaryDirectory() as temporary:
            root = Path(temporary)
            drawn = photo_sets.collect_pretraining(people, pictures, emotions, size, settings.seed, root)
            _write(settings, root, drawn)


def _labelled(columns: Columns, root: Path) -> pd.DataFrame:
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
    return table if columns.emotion else table.assign(emotion="")


def _write(settings: Parameters, root: Path, pictures: pd.DataFrame) -> None:
    files = [root / file for file in pictures["file"]]
    with whole_folder(paths.prepared(paths.PRETRAIN_PEOPLE)) as target:
        rows = pack(files, settings.preprocess, settings.data.max_megapixels, target / "images.npy")
        table = pictures[COLUMNS].join(rows[["faces_found", "crop"]])
        packed = table[table["crop"] != "leave_out"]
        if len(table) and packed.empty:
            raise StudyError(f"of {len(table)} pictures in {root} none can be used to pretrain")
        write_csv(target / "index.csv", packed)
    if len(table):
        unreadable = int((rows["unreadable"] != "").sum())
        counts = table["faces_found"].value_counts().items()
        faces = ", ".join(f"{kind or 'unreadable'} {count}" for kind, count in counts)
        print(f"pretrain: {len(packed)} of {len(table)} pictures packed; faces found: {faces}; {unreadable} unreadable")


if __name__ == "__main__":
    run(pretrain_faces)
