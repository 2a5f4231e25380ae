"""Pack the faces that the networks are pretrained on: drawn people that no other stage sees, or a folder.

In: nothing, or the labelled folder at weights.pretrain.path.
Out: data/prepared/pretrain/images.npy, uint8 (N, size, size, 3) in RGB, and index.csv (file, person,
emotion, found, taken), row i for picture i. Where weights.source is not `pretrain`, both are empty.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from stages import params, paths
from stages.errors import StudyError, main
from stages.faces.pack import pack
from stages.params import Columns, Layout
from stages.sources import folder as labelled_folder
from stages.sources import sample
from stages.writing import whole_folder, write_csv

COLUMNS = ["file", "person", "emotion"]


def pretrain_faces() -> None:
    """Write data/prepared/pretrain/; StudyError where the folder cannot be read or holds nothing to learn."""
    source, faces = params.read("weights.source", "weights.pretrain.source")
    if source != "pretrain":
        _write(pd.DataFrame(columns=COLUMNS), Path())
        print(f"weights.source is {source}: nothing to pretrain on is needed")
    elif faces == "folder":
        path, columns = params.read("weights.pretrain.path", "weights.pretrain.columns")
        _write(_listed(columns, Path(path)), Path(path))
    else:
        seed, size, emotions = params.read("seed", "data.sample.size", "data.sample.emotions")
        people, pictures = params.read("weights.pretrain.people", "weights.pretrain.pictures")
        with TemporaryDirectory() as temporary:
            root = Path(temporary)
            _write(sample.collect_pretraining(people, pictures, emotions, size, seed, root), root)


def _listed(columns: Columns, root: Path) -> pd.DataFrame:
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


def _write(pictures: pd.DataFrame, root: Path) -> None:
    settings, max_megapixels = params.read("preprocess", "data.max_megapixels")
    table = pictures[COLUMNS].reset_index(drop=True)
    with whole_folder(paths.prepared(paths.PRETRAIN_PEOPLE)) as folder:
        rows = pack([root / file for file in table["file"]], settings, max_megapixels, folder / "images.npy")
        table = table.join(rows[["found", "taken"]])
        kept = table[table["taken"] != "leave_out"]
        if len(table) and kept.empty:
            raise StudyError(f"of {len(table)} pictures in {root} none can be used to pretrain")
        write_csv(folder / "index.csv", kept)
    if len(table):
        unreadable = int((rows["unreadable"] != "").sum())
        counts = ", ".join(f"{kind or 'unreadable'} {count}" for kind, count in table["found"].value_counts().items())
        print(f"pretrain: {len(kept)} of {len(table)} pictures packed; faces found: {counts}; {unreadable} unreadable")


if __name__ == "__main__":
    main(pretrain_faces, *sys.argv[1:])
