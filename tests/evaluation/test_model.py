import numpy as np
import pandas as pd
import pytest

from facestudy.evaluation.model import scores_of
from facestudy.models.metadata import CheckpointMetadata
from facestudy.project.parameters import load

CLASSES = ["happy", "sad"]
HISTORY = pd.DataFrame({"epoch": [1, 2], "val_accuracy": [0.5, 0.92]})


@pytest.fixture
def metadata() -> CheckpointMetadata:
    """Of a model of two classes, by the repository's params.yaml."""
    return CheckpointMetadata(
        task="emotion",
        variant="vgg16",
        seed=0,
        classes=CLASSES,
        positive=None,
        weights="random weights",
        recipe=load().variants["vgg16"].recipe(),
        epochs=2,
        rule="last",
        size=64,
        mean=(0.5, 0.5, 0.5),
        std=(0.2, 0.2, 0.2),
        parameters={"total": 3, "trainable": 2},
        run_id="emotion-vgg16-0-abc",
        kept=2,
    )


def predicted(split: str, incorrect: int, pictures: int = 40) -> pd.DataFrame:
    """Predictions of which the first few are incorrect."""
    truth = np.arange(pictures) % 2
    given = np.where(np.arange(pictures) < incorrect, 1 - truth, truth)
    names = np.array(CLASSES)
    table = pd.DataFrame({"file": [f"{split}{number}" for number in range(pictures)], "split": split})
    return table.assign(truth=names[truth], prediction=names[given], p_happy=0.9 - 0.8 * given, p_sad=0.1 + 0.8 * given)


def test_every_split_has_the_scores_of_its_own_pictures(metadata: CheckpointMetadata) -> None:
    predictions = pd.concat([predicted("train", 2), predicted("validation", 8), predicted("test", 12)])
    index = predictions[["file"]].assign(label=predictions["truth"], person="")
    index["light"] = np.where(index["file"].str.startswith("validation"), "dim", "normal")
    index = index.sample(frac=1, random_state=0)  # rows of the index need not be in the predictions' order
    scores = scores_of(metadata, predictions, index, HISTORY)
    assert (scores.train.accuracy, scores.accuracy, scores.pictures) == (0.95, 0.8, 40)
    assert scores.generalization_gap == pytest.approx(0.15) and scores.epochs_to["0.90"] == 2
    assert scores.test is not None and scores.test.accuracy == 0.7
    assert scores.by_group["light"]["dim"].accuracy == 0.8 and set(scores.by_group["light"]) == {"dim"}
    assert scores.test.by_group["light"]["normal"].accuracy == 0.7
    without = scores_of(metadata, predictions[predictions["split"] != "test"], index, HISTORY)
    assert without.test is None and without.accuracy_interval == scores.accuracy_interval


def test_pictures_of_a_person_are_drawn_together(metadata: CheckpointMetadata) -> None:
    predictions = pd.concat([predicted("train", 2), predicted("validation", 8)])
    single = predictions[["file"]].assign(label=predictions["truth"], person="")
    persons = single.assign(person=[f"person {number // 8}" for number in range(len(single))])
    (low, high), (lower, higher) = (
        scores_of(metadata, predictions, index, HISTORY).balanced_accuracy_interval or (0.0, 0.0)
        for index in (single, persons)
    )
    assert 0 < lower < low < high < higher
