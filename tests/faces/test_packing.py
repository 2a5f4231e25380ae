from pathlib import Path

import cv2
import dask
import numpy as np
import pytest
from dask.distributed import LocalCluster

from facestudy.errors import StudyError
from facestudy.faces import cropping, packing
from facestudy.faces.detection import detector_for
from facestudy.photos.reading import read
from facestudy.project.sections import Preprocess
from tests.inputs import paint


@pytest.fixture
def leave_out(settings: Preprocess) -> Preprocess:
    return settings.model_copy(update={"no_face": "leave_out"})


@pytest.fixture
def mixed(drawn: list[Path], tmp_path: Path) -> list[Path]:
    """Two faces, noise between them, and a file that is no picture."""
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    return [drawn[0], paint(tmp_path / "noise.png", 1), broken, drawn[1]]


def test_rows_keep_the_order_given(mixed: list[Path], tmp_path: Path, settings: Preprocess) -> None:
    target = tmp_path / "images.npy"
    table = packing.pack(mixed, settings, 1, target)
    array = np.load(target, mmap_mode="r")
    assert array.shape == (3, 48, 48, 3) and array.dtype == np.uint8
    assert list(table["faces_found"]) == ["one", "none", "", "one"]
    assert list(table["crop"]) == ["face", "whole", "leave_out", "face"]
    assert [bool(reason) for reason in table["unreadable"]] == [False, False, True, False]
    assert np.array_equal(array[1], cropping.whole(read(mixed[1], 1), 48))
    picture = read(mixed[3], 1)
    assert np.array_equal(array[2], cropping.face(picture, detector_for(settings).find(picture)[0], 0.2, 48))


def test_left_out_pictures_leave_no_gap(
    mixed: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Preprocess, leave_out: Preprocess
) -> None:
    monkeypatch.setattr(packing, "CHUNK", 1)
    table = packing.pack(mixed, leave_out, 1, tmp_path / "packed.npy")
    packing.pack([mixed[0], mixed[3]], settings, 1, tmp_path / "two.npy")
    assert list(table["crop"]) == ["face", "leave_out", "leave_out", "face"]
    assert (tmp_path / "packed.npy").read_bytes() == (tmp_path / "two.npy").read_bytes()
    assert np.load(tmp_path / "packed.npy", mmap_mode="r").shape == (2, 48, 48, 3)


@pytest.mark.parametrize(("policy", "crop"), [("largest", "face"), ("whole", "whole"), ("leave_out", "leave_out")])
def test_several_faces(policy: str, crop: str, drawn: list[Path], tmp_path: Path, settings: Preprocess) -> None:
    both = np.hstack([read(drawn[0], 1), read(drawn[1], 1)])
    file = tmp_path / "both.png"
    cv2.imwrite(str(file), both)
    table = packing.pack([file], settings.model_copy(update={"several_faces": policy}), 1, tmp_path / "images.npy")
    assert table.loc[0, "faces_found"] == "several"
    assert table.loc[0, "crop"] == crop
    assert len(np.load(tmp_path / "images.npy")) == (crop != "leave_out")


def test_the_number_of_workers_changes_nothing(
    drawn: list[Path], mixed: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leave_out: Preprocess
) -> None:
    monkeypatch.setattr(packing, "CHUNK", 2)
    before = cv2.getNumThreads()
    for workers in (1, 3):
        packing.pack(drawn[:6] + mixed, leave_out, 1, tmp_path / f"{workers}.npy", workers)
    assert (tmp_path / "1.npy").read_bytes() == (tmp_path / "3.npy").read_bytes()
    assert cv2.getNumThreads() == before


def test_no_picture_at_all(tmp_path: Path, settings: Preprocess) -> None:
    table = packing.pack([], settings, 1, tmp_path / "images.npy")
    assert np.load(tmp_path / "images.npy", mmap_mode="r").shape == (0, 48, 48, 3)
    assert list(table.columns) == ["faces_found", "crop", "unreadable"] and table.empty


def test_a_missing_detector_is_an_error_before_any_work(
    drawn: list[Path], tmp_path: Path, settings: Preprocess
) -> None:
    yunet = settings.model_copy(update={"detector": "yunet"})
    with pytest.raises(StudyError, match="detector_file"):
        packing.pack(drawn[:1], yunet, 1, tmp_path / "images.npy")
    assert not (tmp_path / "images.npy").exists()


def test_two_dask_workers_make_the_same_bytes(
    drawn: list[Path], mixed: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leave_out: Preprocess
) -> None:
    monkeypatch.setattr(packing, "CHUNK", 2)
    packing.pack(drawn[:6] + mixed, leave_out, 1, tmp_path / "here.npy")
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:  # type: ignore[no-untyped-call]
        monkeypatch.setenv("JOBLIB_BACKEND", "dask")
        monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", cluster.scheduler_address)
        dask.config.refresh()
        monkeypatch.setattr(packing, "search", None)  # in this process: it is the workers that search
        packing.pack(drawn[:6] + mixed, leave_out, 1, tmp_path / "there.npy")
    assert (tmp_path / "here.npy").read_bytes() == (tmp_path / "there.npy").read_bytes()


@pytest.mark.parametrize(("backend", "message"), [("sparc", "not known; use threading, loky"), ("ray", "pip install")])
def test_a_backend_that_is_not_available_is_named(
    backend: str, message: str, drawn: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Preprocess
) -> None:
    monkeypatch.setenv("JOBLIB_BACKEND", backend)
    with pytest.raises(StudyError, match=message):
        packing.pack(drawn[:1], settings, 1, tmp_path / "images.npy")
