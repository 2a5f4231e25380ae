"""The pages of the mistakes of a task's models."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from facestudy.contracts.study import Study, TaskNames
from facestudy.csv_writer import write_csv
from facestudy.errors import StudyError
from facestudy.models import checkpoints, networks
from facestudy.models.metadata import CheckpointMetadata
from facestudy.models.pictures import MEAN, STD
from facestudy.project import paths
from facestudy.project.files import write_json
from facestudy.project.parameters import load
from stages.mistakes import mistakes
from tests.inputs import write_params

RUN_ID = "emotion-resnet18_scratch-0-abc"
CLASSES = ["angry", "happy", "<b>sad"]
VARIANT = "resnet18_scratch"


@pytest.fixture(autouse=True)
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint with random weights, 30 packed pictures, and the study's names."""
    monkeypatch.chdir(tmp_path)
    write_params(tmp_path, {})
    task = TaskNames(title="Emotion", positive=None)
    write_json(paths.STUDY, Study(tasks={"emotion": task}, variants={VARIANT: "Scratch"}, seeds=[0]))
    folder = paths.prepared("emotion")
    folder.mkdir(parents=True)
    np.save(folder / "images.npy", np.random.default_rng(0).integers(0, 256, (30, 64, 64, 3), dtype=np.uint8))
    extras = {"index": "", "level_0": ""}  # columns of the user's, with names that pandas uses itself
    write_csv(folder / "index.csv", pd.DataFrame({"file": files(), "label": "happy", "split": "validation", **extras}))
    recipe = load().variants[VARIANT].recipe()
    metadata = CheckpointMetadata(
        task="emotion",
        variant=VARIANT,
        seed=0,
        classes=CLASSES,
        positive=None,
        weights="random weights",
        recipe=recipe,
        epochs=1,
        rule="last",
        size=64,
        mean=MEAN,
        std=STD,
        parameters={},
        run_id=RUN_ID,
        kept=1,
    )
    network = networks.build(recipe.arch, recipe.head, 3, 0)
    checkpoints.save(paths.checkpoint("emotion", VARIANT, 0), network.state_dict(), metadata)


def files() -> list[str]:
    return [f"{number:02d}.png" for number in range(30)]


def predicted(named: list[str]) -> str:
    """The page of a model that named these, where all were happy."""
    table = pd.DataFrame({"file": files(), "split": "validation", "truth": "happy", "prediction": named})
    for index, label in enumerate(CLASSES):
        table[f"p_{label}"] = [0.5 + 0.01 * row if named[row] == label else 0.1 * index for row in range(30)]
    write_csv(paths.model_metrics("emotion", VARIANT, 0) / "predictions.csv", table)
    mistakes("emotion")
    return (paths.mistakes("emotion") / f"{VARIANT}_0.html").read_text(encoding="utf-8")


def test_the_most_confident_come_first_and_the_most_confused_pairs_follow() -> None:
    page = predicted(["angry"] * 10 + ["<b>sad"] * 4 + ["happy"] * 16)
    assert "14 errors on the validation pictures" in page
    assert page.index("13.png") < page.index("12.png") < page.index("00.png")
    assert page.index("happy predicted as angry: 10 times") < page.index("happy predicted as &lt;b&gt;sad: 4 times")
    assert "<b>" not in page
    assert page.count("<img") == 2 * (14 + 8 + 4) and "data:image/png;base64," in page and "29.png" not in page


def test_the_same_numbers_give_the_same_bytes() -> None:
    assert predicted(["angry"] * 30) == predicted(["angry"] * 30)


def test_a_class_for_which_nothing_speaks_has_no_map_and_the_page_says_why() -> None:
    path = paths.checkpoint("emotion", VARIANT, 0)
    state, metadata = checkpoints.load(path, CheckpointMetadata)
    state["fc.weight"][CLASSES.index("angry")] = 0  # the bias alone names it
    checkpoints.save(path, state, metadata)
    page = predicted(["angry"] * 2 + ["<b>sad"] * 3 + ["happy"] * 25)
    assert page.count("<td>No map</td>") == 2 * 2 and "&quot;No map&quot;: no part of" in page


def test_without_a_mistake_the_page_says_so() -> None:
    assert "No error on the validation pictures." in predicted(["happy"] * 30)


def test_a_model_that_is_gone_leaves_no_page() -> None:
    gone = paths.mistakes("emotion") / "gone_0.html"
    gone.parent.mkdir(parents=True)
    gone.touch()
    predicted(["happy"] * 30)
    assert [file.name for file in paths.mistakes("emotion").iterdir()] == [f"{VARIANT}_0.html"]


def test_a_model_that_is_not_there_is_named() -> None:
    with pytest.raises(StudyError, match=r"emotion/resnet18_scratch/0/predictions\.csv is not there"):
        mistakes("emotion")
