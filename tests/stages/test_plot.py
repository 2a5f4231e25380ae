from contextlib import chdir
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file

from facestudy.errors import StudyError
from facestudy.models.metadata import EmptyMetadata, HistogramMetadata
from stages.plot import plot
from tests.study_maker import KINDS, VGG_NAMES, make_study

FIGURES, METRICS = Path("plots/figures/face/vgg16_1"), Path("metrics/face/vgg16/1")
HISTOGRAMS = Path("data/histograms/face/vgg16/1.safetensors")


@pytest.fixture(scope="module")
def plotted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of one variant and two seeds, with the figures of one task; not to be changed."""
    folder = tmp_path_factory.mktemp("study")
    make_study(folder, seeds=(0, 1), variants=["vgg16"])
    with chdir(folder):
        plot("face")
    return folder


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same study without the figures, in which the test then stands."""
    make_study(tmp_path, seeds=(0, 1), variants=["vgg16"])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_model_has_its_pictures_alone(plotted: Path) -> None:
    names = {folder.name for folder in (plotted / "plots" / "figures" / "face").iterdir()}
    assert names == {"vgg16_0", "vgg16_1"}
    assert {path.name for path in (plotted / FIGURES).iterdir()} == {f"{kind}.png" for kind in KINDS}


def test_pictures_are_small_and_bear_no_date(plotted: Path) -> None:
    pictures = sorted((plotted / FIGURES).glob("*.png"))
    assert sum(picture.stat().st_size for picture in pictures) < 200_000
    for picture in pictures:
        with Image.open(picture) as opened:
            assert opened.info.keys() <= {"transparency"}
            assert min(opened.size) > 200


def test_the_same_numbers_give_the_same_bytes_over_an_earlier_drawing(plotted: Path, small: Path) -> None:
    FIGURES.mkdir(parents=True)
    (FIGURES / "old.png").write_bytes(b"old")
    plot("face")
    drawn = {path.name: path.read_bytes() for path in FIGURES.iterdir()}
    assert drawn == {path.name: path.read_bytes() for path in (plotted / FIGURES).iterdir()}


def test_other_numbers_give_other_pictures(plotted: Path, small: Path) -> None:
    table = pd.read_csv(METRICS / "history.csv")
    table.assign(val_loss=table["val_loss"] * 2).to_csv(METRICS / "history.csv", index=False)
    arrays = load_file(HISTOGRAMS)
    arrays["gradient_edges"] = arrays["gradient_edges"] * np.float32(0)
    names = ["other.weight", *VGG_NAMES[1:]]  # the name stands over a panel, so the parameters' picture changes too
    save_file(arrays, HISTOGRAMS, metadata={"metadata": HistogramMetadata(parameters=names).model_dump_json()})
    plot("face")
    same = {
        kind: (FIGURES / f"{kind}.png").read_bytes() == (plotted / FIGURES / f"{kind}.png").read_bytes()
        for kind in KINDS
    }
    assert same == {"curves": False, "confusion": True, "calibration": True, "gradients": False, "parameters": False}


def test_a_task_without_labels_has_no_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_study(tmp_path, empty="emotion", variants=["vgg16"])
    monkeypatch.chdir(tmp_path)
    plot("emotion")
    assert list(Path("plots/figures/emotion").iterdir()) == []


@pytest.mark.parametrize("name", ["scores.json", "history.csv", "roc.csv"])
def test_a_missing_file_is_named(small: Path, name: str) -> None:
    (METRICS / name).unlink()
    with pytest.raises(StudyError, match=rf"metrics/face/vgg16/1/{name}.*dvc repro"):
        plot("face")
    assert list(Path("plots").rglob("*.*")) == []


@pytest.mark.parametrize("content", [b"broken", None])
def test_missing_or_broken_histograms_are_named_and_nothing_is_left(small: Path, content: bytes | None) -> None:
    HISTOGRAMS.unlink()
    if content is not None:
        HISTOGRAMS.write_bytes(content)
    with pytest.raises(StudyError, match=r"data/histograms/face/vgg16/1\.safetensors"):
        plot("face")
    assert list(Path("plots").rglob("*.*")) == []


def test_histograms_without_names_are_refused(small: Path) -> None:
    save_file(load_file(HISTOGRAMS), HISTOGRAMS, metadata={"metadata": '{"format": 1}'})
    with pytest.raises(StudyError, match=r"data/histograms/face/vgg16/1\.safetensors: .*parameters"):
        plot("face")


def test_histograms_of_no_training_are_refused(small: Path) -> None:
    save_file({}, HISTOGRAMS, metadata={"metadata": EmptyMetadata(reason="no labels").model_dump_json()})
    with pytest.raises(StudyError, match=r"data/histograms/face/vgg16/1\.safetensors holds no histogram"):
        plot("face")


def test_an_unknown_task_is_refused(small: Path) -> None:
    with pytest.raises(StudyError, match=r"voice.*face, emotion"):
        plot("voice")
