"""The pages of the mistakes of a task's models."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stages import paths
from stages.errors import StudyError
from stages.mistakes import mistakes
from stages.params import load
from stages.training import checkpoints, networks
from stages.writing import write_csv, write_json
from tests.photos import write_params

CLASSES = ["angry", "happy", "<b>sad"]
VARIANT = "resnet18_scratch"


@pytest.fixture(autouse=True)
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint with random weights, 30 packed pictures, and the study's names."""
    monkeypatch.chdir(tmp_path)
    write_params(tmp_path, {})
    write_json(
        paths.STUDY,
        {"tasks": {"emotion": {"title": "Emotion", "positive": None}}, "variants": {VARIANT: "Scratch"}, "seeds": [0]},
    )
    folder = paths.prepared("emotion")
    folder.mkdir(parents=True)
    np.save(folder / "images.npy", np.random.default_rng(0).integers(0, 256, (30, 64, 64, 3), dtype=np.uint8))
    write_csv(folder / "index.csv", pd.DataFrame({"file": files(), "label": "happy", "split": "validation"}))
    recipe = load().variants[VARIANT].model_dump(exclude={"weights", "epochs"})
    network = networks.build(recipe["arch"], recipe["head"], 3, 0)
    about = {"recipe": recipe, "classes": CLASSES, "size": 64}
    checkpoints.save(paths.checkpoint("emotion", VARIANT, 0), network.state_dict(), about)


def files() -> list[str]:
    return [f"{number:02d}.png" for number in range(30)]


def predicted(named: list[str]) -> str:
    """The page of a model that named these, where all were happy."""
    table = pd.DataFrame({"file": files(), "split": "validation", "truth": "happy", "prediction": named})
    for place, label in enumerate(CLASSES):
        table[f"p_{label}"] = [0.5 + 0.01 * row if named[row] == label else 0.1 * place for row in range(30)]
    write_csv(paths.model_figures("emotion", VARIANT, 0) / "predictions.csv", table)
    mistakes("emotion")
    return (paths.mistakes("emotion") / f"{VARIANT}_0.html").read_text(encoding="utf-8")


def test_the_surest_come_first_and_the_most_confused_pairs_follow() -> None:
    page = predicted(["angry"] * 10 + ["<b>sad"] * 4 + ["happy"] * 16)
    assert "14 errors on the validation pictures" in page
    assert page.index("13.png") < page.index("12.png") < page.index("00.png")
    assert page.index("happy taken for angry: 10 times") < page.index("happy taken for &lt;b&gt;sad: 4 times")
    assert "<b>" not in page
    assert page.count("<img") == 2 * (14 + 8 + 4) and "data:image/png;base64," in page and "29.png" not in page


def test_the_same_numbers_give_the_same_bytes() -> None:
    assert predicted(["angry"] * 30) == predicted(["angry"] * 30)


def test_without_a_mistake_the_page_says_so() -> None:
    assert "No error on the validation pictures." in predicted(["happy"] * 30)


def test_a_model_that_is_gone_leaves_no_page() -> None:
    gone = paths.mistakes("emotion") / "gone_0.html"
    gone.parent.mkdir(parents=True)
    gone.touch()
    predicted(["happy"] * 30)
    assert [file.name for file in paths.mistakes("emotion").iterdir()] == [f"{VARIANT}_0.html"]


def test_a_model_that_is_not_there_is_named() -> None:
    with pytest.raises(StudyError, match=r"emotion/resnet18_scratch_0/predictions\.csv is not there"):
        mistakes("emotion")
