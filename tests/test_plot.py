import json
import subprocess
import sys
from contextlib import chdir
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file

from stages.errors import StudyError
from stages.plot import plot
from tests.study_maker import EMOTION, TITLES, make_study

KINDS = ("curves", "confusion", "gradients", "parameters")


@pytest.fixture(scope="module")
def plotted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three models of one task with all their figures; not to be changed."""
    folder = tmp_path_factory.mktemp("study")
    make_study(folder)
    with chdir(folder):
        plot("emotion")
    return folder


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study of one variant, in which the test then stands."""
    make_study(tmp_path, variants=["vgg16"])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_model_has_its_pictures_and_a_task_its_tables(plotted: Path) -> None:
    figures = {path.name for path in (plotted / "plots" / "figures" / "emotion").iterdir()}
    assert figures == {"comparison.png", *(f"{name}_0_{kind}.png" for name in TITLES for kind in KINDS)}
    curves = pd.read_csv(plotted / "plots" / "emotion" / "curves.csv")
    history = pd.read_csv(plotted / "metrics" / "emotion" / "resnet18_scratch" / "0" / "history.csv")
    of_one = curves[curves["variant"] == "resnet18_scratch"].reset_index(drop=True)
    assert list(curves.columns) == ["variant", "seed", *list(history.columns)[:5]]
    pd.testing.assert_frame_equal(of_one[history.columns[:5]], history[history.columns[:5]])
    assert len(curves) == 10 + 15 + 15


def test_cells_of_the_confusion_tables_are_those_of_the_scores(plotted: Path) -> None:
    scores = json.loads((plotted / "metrics" / "emotion" / "vgg16" / "0" / "scores.json").read_text())
    for name, measure, key in (
        ("confusion", "count", "confusion_matrix"),
        ("confusion_zscore", "zscore", "confusion_matrix_zscore"),
    ):
        cells = pd.read_csv(plotted / "plots" / "emotion" / f"{name}.csv")
        of_one = cells[cells["variant"] == "vgg16"].set_index(["truth", "prediction"])[measure]
        for row, truth in enumerate(EMOTION):
            for column, prediction in enumerate(EMOTION):
                assert of_one[truth, prediction] == pytest.approx(scores[key][row][column])


def test_pictures_are_small_and_bear_no_date(plotted: Path) -> None:
    pictures = sorted((plotted / "plots" / "figures").rglob("*.png"))
    assert sum(picture.stat().st_size for picture in pictures) < 1_000_000
    for picture in pictures:
        with Image.open(picture) as opened:
            assert opened.info.keys() <= {"transparency"}
            assert min(opened.size) > 200


def test_the_same_numbers_give_the_same_bytes(small: Path) -> None:
    plot("face")
    first = {path: path.read_bytes() for path in (small / "plots").rglob("*.*")}
    plot("face")
    assert {path: path.read_bytes() for path in (small / "plots").rglob("*.*")} == first


def test_other_numbers_give_other_pictures(small: Path) -> None:
    plot("face")
    curves, gradients = (
        small / "plots" / "figures" / "face" / f"vgg16_0_{kind}.png" for kind in ("curves", "gradients")
    )
    before = curves.read_bytes(), gradients.read_bytes()
    history = small / "metrics" / "face" / "vgg16" / "0" / "history.csv"
    table = pd.read_csv(history)
    table.assign(val_loss=table["val_loss"] * 2).to_csv(history, index=False)
    path = small / "data" / "histograms" / "face" / "vgg16" / "0.safetensors"
    arrays = load_file(path)
    arrays["gradient_edges"] = arrays["gradient_edges"] * np.float32(0)
    names = ["classifier.0.weight", "classifier.0.bias", "classifier.3.weight", "classifier.3.bias"]
    save_file(arrays, path, metadata={"parameters": json.dumps(names)})
    plot("face")
    assert curves.read_bytes() != before[0]
    assert gradients.read_bytes() != before[1]


def test_an_empty_task_has_a_picture_with_the_reason_and_empty_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_study(tmp_path, empty="emotion")
    monkeypatch.chdir(tmp_path)
    plot("emotion")
    assert [path.name for path in (tmp_path / "plots" / "figures" / "emotion").iterdir()] == ["comparison.png"]
    for name in ("curves", "confusion", "confusion_zscore"):
        assert pd.read_csv(tmp_path / "plots" / "emotion" / f"{name}.csv").empty


def test_seeds_each_have_rows_and_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_study(tmp_path, seeds=(0, 1), variants=["vgg16"])
    monkeypatch.chdir(tmp_path)
    plot("face")
    assert set(pd.read_csv("plots/face/curves.csv")["seed"]) == {0, 1}
    assert (tmp_path / "plots" / "figures" / "face" / "vgg16_1_gradients.png").exists()


def test_signs_in_a_label_are_drawn_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_study(tmp_path, emotions=["$\\frac{", "<b>|x", "a\nb", "happy", "_" * 60], variants=["vgg16"])
    monkeypatch.chdir(tmp_path)
    plot("emotion")
    assert set(pd.read_csv("plots/emotion/confusion.csv")["truth"]) >= {"$\\frac{", "<b>|x"}


@pytest.mark.parametrize("name", ["scores.json", "history.csv"])
def test_a_missing_file_is_named(small: Path, name: str) -> None:
    (small / "metrics" / "face" / "vgg16" / "0" / name).unlink()
    with pytest.raises(StudyError, match=rf"metrics/face/vgg16/0/{name}.*dvc repro"):
        plot("face")
    assert not (small / "plots").exists()


def test_missing_or_broken_histograms_are_named_and_nothing_is_left(small: Path) -> None:
    path = small / "data" / "histograms" / "face" / "vgg16" / "0.safetensors"
    path.write_bytes(b"broken")
    with pytest.raises(StudyError, match=r"data/histograms/face/vgg16/0\.safetensors"):
        plot("face")
    path.unlink()
    with pytest.raises(StudyError, match=r"data/histograms/face/vgg16/0\.safetensors"):
        plot("face")
    assert list((small / "plots").rglob("*.*")) == []


def test_an_unknown_task_is_refused(small: Path) -> None:
    with pytest.raises(StudyError, match=r"voice.*face, emotion"):
        plot("voice")


@pytest.mark.parametrize("stage", ["plot", "report"])
def test_the_stage_starts_without_the_heavy_libraries(stage: str) -> None:
    code = f"import stages.{stage}, sys; print([name for name in ('torch', 'cv2', 'sklearn') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
