from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from facestudy.errors import StudyError
from facestudy.project import paths
from facestudy.project.tables import read_csv
from stages.pretrain_faces import pretrain_faces
from tests.inputs import paint, write_labels, write_params

FOLDER = {"preprocess.size": 40, "weights.pretrain.source": "folder", "weights.pretrain.path": "photos"}


@pytest.fixture(autouse=True)
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def packed(changes: dict[str, Any]) -> tuple[Any, pd.DataFrame]:
    write_params(Path(), changes)
    pretrain_faces()
    folder = paths.prepared(paths.PRETRAIN_PEOPLE)
    return np.load(folder / "images.npy", mmap_mode="r"), read_csv(folder / "index.csv")


def test_drawn_people() -> None:
    few = {"preprocess.size": 40, "weights.pretrain.people": 5, "weights.pretrain.pictures": 20}
    array, index = packed(few)
    assert array.shape == (20, 40, 40, 3) and array.dtype == np.uint8
    assert list(index.columns) == ["file", "person", "emotion", "faces_found", "crop"]
    assert index["person"].nunique() == 5 and index["emotion"].nunique() == 5
    assert (index["crop"] == "face").sum() >= 15
    again, _ = packed(few)
    assert np.array_equal(array, again)
    other, _ = packed(few | {"seed": 1})
    assert not np.array_equal(array, other)


@pytest.mark.parametrize("source", ["imagenet", "file"])
def test_empty_where_nothing_is_pretrained(source: str) -> None:
    array, index = packed({"preprocess.size": 40, "weights.source": source, "weights.pretrain.source": "folder"})
    assert array.shape == (0, 40, 40, 3)
    assert index.empty and list(index.columns) == ["file", "person", "emotion", "faces_found", "crop"]


def write_folder(columns: tuple[str, str, str] = ("file", "person", "emotion")) -> None:
    rows = [
        ("a.png", "Ann", "happy"),
        ("b.png", "Ann", ""),
        ("c.png", "", "Sad"),
        ("d.png", "", ""),
        ("e.png", "Bo", ""),
    ]
    for number, row in enumerate(rows):
        paint(Path("photos/images") / row[0], number)
    Path("photos/images/e.png").write_bytes(b"broken")
    write_labels(Path("photos/labels.csv"), [dict(zip(columns, row, strict=True)) for row in rows])


def test_a_folder_without_its_unlabelled_and_unreadable_pictures(capsys: pytest.CaptureFixture[str]) -> None:
    write_folder()
    array, index = packed(FOLDER)
    assert len(array) == 3
    assert list(index["person"]) == ["Ann", "Ann", ""]
    assert list(index["emotion"]) == ["happy", "", "sad"]
    assert "3 of 4 pictures packed" in capsys.readouterr().out


def test_its_columns_may_have_other_names_or_the_person_alone_be_known() -> None:
    write_folder(("picture", "who", "mood"))
    columns: dict[str, Any] = {"file": "picture", "person": "who", "emotion": None}
    _, index = packed(FOLDER | {"weights.pretrain.columns": columns})
    assert list(index["person"]) == ["Ann", "Ann"]
    assert set(index["emotion"]) == {""}


def test_a_folder_that_is_not_there_or_has_nothing_to_use() -> None:
    with pytest.raises(StudyError, match=r"weights\.pretrain\.path: photos/labels\.csv is not there"):
        packed(FOLDER)
    write_folder(("picture", "who", "mood"))
    with pytest.raises(StudyError, match=r"weights\.pretrain: .*no column 'file'.*it has: picture, who, mood"):
        packed(FOLDER)
    write_folder()
    write_labels(Path("photos/labels.csv"), [{"file": "e.png", "person": "Bo", "emotion": ""}])
    with pytest.raises(StudyError, match="of 1 pictures in photos none can be used"):
        packed(FOLDER)
    assert not paths.prepared(paths.PRETRAIN_PEOPLE).exists()
