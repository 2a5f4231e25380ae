import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from facestudy.csv_writer import write_csv
from facestudy.errors import StudyError
from facestudy.project import paths
from facestudy.project.tables import read_csv
from facestudy.synthetic import photo_sets
from stages.preprocess import preprocess
from tests.inputs import paint, write_params

NOISE = 3  # pictures without a face, in this order after the drawn ones


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six drawn people and three pictures of noise, split by hand; `nobody` is noise alone."""
    monkeypatch.chdir(tmp_path)
    write_params(tmp_path, {"preprocess.size": 48})
    images = paths.RAW / "images"
    drawn = photo_sets.collect_pretraining(20, 20, ["happy"], 96, 0, images)
    clear = drawn[(drawn["occlusion"] == "none") & (drawn["light"] != "very_dark")][:6]
    files = [*clear["file"], *(paint(images / f"noise_{number}.png", number).name for number in range(NOISE))]
    labels = ["happy", "sad"] * 3 + ["sad"] * NOISE
    raw = pd.DataFrame({"file": files, "person": "p", "face": "", "emotion": labels, "source_file": "s.jpg"})
    raw["light"] = [f"light {number}" for number in range(len(files))]
    write_csv(paths.RAW / "index.csv", raw)
    split = raw[["file", "emotion"]].rename(columns={"emotion": "label"})
    split["split"] = ["train"] * 4 + ["validation"] * 2 + ["train", "train", "validation"]
    split["group"] = ""
    write_csv(paths.split("emotion"), split.iloc[::-1])
    return tmp_path


def report(task: str = "emotion") -> Any:
    return json.loads((paths.task_metrics(task) / "preprocess.json").read_text(encoding="utf-8"))


def test_pictures_and_index_go_together(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    preprocess("emotion")
    folder = paths.prepared("emotion")
    array, index, split = (
        np.load(folder / "images.npy"),
        read_csv(folder / "index.csv"),
        read_csv(paths.split("emotion")),
    )
    assert array.shape == (9, 48, 48, 3) and array.dtype == np.uint8 and array.flags.c_contiguous
    assert list(index.columns) == ["file", "label", "split", "group", "faces_found", "crop", "light"]
    assert list(index["file"]) == list(split["file"])
    assert list(index["light"]) == [f"light {number}" for number in range(8, -1, -1)]
    assert list(index["crop"]) == ["whole"] * NOISE + ["face"] * 6
    assert report() == {
        "reason": None,
        "found": {"happy": {"one": 3, "none": 0, "several": 0}, "sad": {"one": 3, "none": NOISE, "several": 0}},
        "left_out": {"happy": 0, "sad": 0},
        "left_out_files": [],
    }
    assert "sad      3     3        0         0" in capsys.readouterr().out


def test_pictures_without_a_face_are_left_out_on_demand_and_listed(study: Path) -> None:
    write_params(study, {"preprocess.size": 48, "preprocess.no_face": "leave_out"})
    preprocess("emotion")
    index = read_csv(paths.prepared("emotion") / "index.csv")
    assert len(np.load(paths.prepared("emotion") / "images.npy")) == len(index) == 6
    assert set(index["crop"]) == {"face"}
    assert report()["left_out"] == {"happy": 0, "sad": NOISE}
    assert report()["left_out_files"] == ["noise_2.png", "noise_1.png", "noise_0.png"]


def test_a_class_is_never_emptied_in_silence(study: Path) -> None:
    write_params(study, {"preprocess.no_face": "leave_out"})
    split = read_csv(paths.split("emotion"))
    split.loc[split["file"].str.startswith("noise"), "label"] = "disgust"
    write_csv(paths.split("emotion"), split)
    with pytest.raises(StudyError, match="train, disgust: 0 of 2 left\n  validation, disgust: 0 of 1 left"):
        preprocess("emotion")
    assert not paths.prepared("emotion").exists()
    assert not list(paths.prepared("emotion").parent.glob(".*"))
    assert not paths.task_metrics("emotion").exists()


def test_twice_the_same_bytes(study: Path) -> None:
    bytes_of = []
    for _ in range(2):
        preprocess("emotion")
        folder = paths.prepared("emotion")
        bytes_of.append([(folder / name).read_bytes() for name in ("images.npy", "index.csv")])
    assert bytes_of[0] == bytes_of[1]


def test_a_task_without_labels_gets_empty_files_with_the_reason(study: Path) -> None:
    write_csv(paths.split("face"), pd.DataFrame(columns=["file", "label", "split", "group"]))
    preprocess("face")
    folder = paths.prepared("face")
    assert np.load(folder / "images.npy", mmap_mode="r").shape == (0, 48, 48, 3)
    index = read_csv(folder / "index.csv")
    assert index.empty and list(index.columns)[:6] == ["file", "label", "split", "group", "faces_found", "crop"]
    reason = "no picture has a label for the task 'face'"
    assert report("face") == {"reason": reason, "found": {}, "left_out": {}, "left_out_files": []}


def test_a_picture_that_cannot_be_read_is_named(study: Path) -> None:
    (paths.RAW / "images" / "noise_1.png").write_bytes(b"")
    with pytest.raises(StudyError, match=r"1 pictures? .*noise_1\.png: empty file"):
        preprocess("emotion")
    assert not paths.prepared("emotion").exists()


def test_what_was_never_split_or_never_downloaded_is_named(study: Path) -> None:
    with pytest.raises(StudyError, match=r"smile\.csv is not there"):
        preprocess("smile")
    write_csv(paths.RAW / "index.csv", read_csv(paths.RAW / "index.csv").iloc[1:])
    with pytest.raises(StudyError, match=r"emotion\.csv names pretrain_.*which .*index\.csv does not"):
        preprocess("emotion")
