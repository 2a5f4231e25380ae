import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageOps

from facestudy.contracts.counts import PretrainingReport
from facestudy.csv_writer import write_csv
from facestudy.errors import StudyError
from facestudy.project import paths
from facestudy.project.files import read_json
from facestudy.project.tables import read_csv
from stages.download import download
from stages.pretrain_faces import pretrain_faces
from tests.inputs import paint, write_labels, write_params

FEW = {"preprocess.size": 40, "weights.pretrain.people": 5, "weights.pretrain.pictures": 20}
FOLDER = {**FEW, "weights.pretrain.source": "folder", "weights.pretrain.path": "photos"}
INDEX = ["file", "person", "emotion", "origin", "faces_found", "crop"]


@pytest.fixture(autouse=True)
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The study has a photo of Cleo."""
    monkeypatch.chdir(tmp_path)
    paint(paths.RAW / "images" / "s.png", 100)
    write_csv(paths.RAW / "index.csv", pd.DataFrame({"file": ["s.png"], "person": "Cleo", "emotion": "sad"}))
    return tmp_path


def packed(changes: dict[str, Any]) -> tuple[Any, pd.DataFrame]:
    write_params(Path(), changes)
    pretrain_faces()
    folder = paths.prepared(paths.PRETRAIN_PEOPLE)
    return np.load(folder / "images.npy", mmap_mode="r"), read_csv(folder / "index.csv")


def photos_of(index: pd.DataFrame) -> pd.DataFrame:
    return index[index["origin"] == "photo"]


def report() -> PretrainingReport:
    return read_json(paths.PRETRAINING_REPORT, PretrainingReport)


def test_drawn_people() -> None:
    array, index = packed(FEW)
    assert array.shape == (20, 40, 40, 3) and array.dtype == np.uint8
    assert list(index.columns) == INDEX
    assert index["person"].nunique() == 5 and index["emotion"].nunique() == 5
    assert (index["crop"] == "face").sum() >= 15
    again, _ = packed(FEW)
    assert np.array_equal(array, again)
    other, _ = packed(FEW | {"seed": 1})
    assert not np.array_equal(array, other)


@pytest.mark.parametrize("source", ["imagenet", "file"])
def test_empty_where_nothing_is_pretrained(source: str) -> None:
    array, index = packed({"preprocess.size": 40, "weights.source": source, "weights.pretrain.source": "folder"})
    assert array.shape == (0, 40, 40, 3)
    assert index.empty and list(index.columns) == INDEX


def write_folder(columns: tuple[str, str, str] = ("file", "person", "emotion")) -> None:
    rows = [
        ("a.png", "Ann", "happy"),
        ("b.png", "ANN ", ""),
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
    assert len(array) == len(index) == 23
    assert list(photos_of(index)["person"]) == ["ann", "ann", ""]
    assert list(photos_of(index)["emotion"]) == ["happy", "", "sad"]
    assert "23 of 24 pictures packed" in capsys.readouterr().out


def test_copies_of_the_studys_own_pictures_are_left_out_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    write_folder()
    with Image.open(paint(Path("photos/images/b.png"), 1, (64, 64))) as near:
        ImageOps.mirror(near).save(paths.RAW / "images" / "near.png")
    shutil.copyfile("photos/images/c.png", paths.RAW / "images" / "same.png")
    rows = {"file": ["near.png", "s.png", "same.png"], "person": ["ann", "Cleo", ""], "emotion": "sad"}
    write_csv(paths.RAW / "index.csv", pd.DataFrame(rows))
    array, index = packed(FOLDER)
    assert len(array) == 21 and list(photos_of(index)["file"]) == ["images/a.png"]
    assert report() == PretrainingReport(
        pictures=21, people=6, exact_copies=1, near_copies=1, shared_people=1, pictures_of_them=1
    )
    assert "left out 1 exact and 1 near copies" in capsys.readouterr().out


@pytest.mark.parametrize("face", ["face", "person"])
def test_a_person_whom_the_study_renames_is_shared(face: str) -> None:
    """`rename` is for labels; a person is renamed where it serves as one."""
    paint(Path("study/images/s.png"), 100)
    write_labels(Path("study/labels.csv"), [{"file": "s.png", "person": "Ann", "face": "Ann", "emotion": "sad"}])
    columns = {"file": "file", "person": "person", "face": face, "emotion": "emotion"}
    source = {"source": "folder", "folder.path": "study", "folder.columns": columns, "folder.rename": {"Ann": "Anna"}}
    changes = FOLDER | {f"data.{key}": value for key, value in source.items()}
    write_params(Path(), changes)
    download()
    write_folder()
    _, index = packed(changes)
    name = "anna" if face == "person" else "ann"
    assert list(photos_of(index)["person"]) == [name, name, ""]
    assert report().shared_people == 1 and report().pictures_of_them == 2


def test_drawn_people_are_the_same_whatever_the_study_holds() -> None:
    array, index = packed(FEW)
    paint(paths.RAW / "images" / "t.png", 101)
    again, index_again = packed(FEW)
    assert np.array_equal(array, again) and index.equals(index_again)
    assert report() == PretrainingReport(
        pictures=20, people=5, exact_copies=0, near_copies=0, shared_people=0, pictures_of_them=0
    )


def test_its_columns_may_have_other_names_or_the_person_alone_be_known() -> None:
    write_folder(("picture", "who", "mood"))
    columns: dict[str, Any] = {"file": "picture", "person": "who", "emotion": None}
    _, index = packed(FOLDER | {"weights.pretrain.columns": columns})
    assert list(photos_of(index)["person"]) == ["ann", "ann"]
    assert set(photos_of(index)["emotion"]) == {""}


def test_a_folder_that_is_not_there_or_has_nothing_to_use() -> None:
    with pytest.raises(StudyError, match=r"weights\.pretrain\.path: photos/labels\.csv is not there"):
        packed(FOLDER)
    write_folder(("picture", "who", "mood"))
    with pytest.raises(StudyError, match=r"weights\.pretrain: .*no column 'file'.*it has: picture, who, mood"):
        packed(FOLDER)
    write_folder()
    write_labels(Path("photos/labels.csv"), [{"file": "e.png", "person": "Bo", "emotion": ""}])
    with pytest.raises(StudyError, match=r"of 1 pictures to pretrain on \(photo\) none can be used"):
        packed(FOLDER)
    assert not paths.prepared(paths.PRETRAIN_PEOPLE).exists()
