import numpy as np
import pandas as pd
import pytest
import torch

from facestudy.errors import StudyError
from facestudy.evaluation.model import Model, person_group_numbers, scores_of
from facestudy.models.device import fabric_for
from facestudy.models.metadata import CheckpointMetadata
from facestudy.models.packed import Packed
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
    table["person_group"] = np.arange(pictures)
    return table.assign(truth=names[truth], prediction=names[given], p_happy=0.9 - 0.8 * given, p_sad=0.1 + 0.8 * given)


def test_every_split_has_the_scores_of_its_own_pictures(metadata: CheckpointMetadata) -> None:
    predictions = pd.concat([predicted("train", 2), predicted("validation", 8), predicted("test", 12)])
    index = predictions[["file"]].assign(label=predictions["truth"])
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


def test_pictures_of_a_person_are_taken_together_in_every_interval(metadata: CheckpointMetadata) -> None:
    predictions = pd.concat([predicted("train", 2), predicted("validation", 8)])
    index = predictions[["file"]].assign(label=predictions["truth"], light="dim")
    scores, by_person = (
        scores_of(metadata, table, index, HISTORY)
        for table in (predictions, predictions.assign(person_group=predictions["person_group"] // 8))
    )
    pairs = [
        (getattr(scores, f"{key}_interval"), getattr(by_person, f"{key}_interval"))
        for key in ("accuracy", "balanced_accuracy", "macro_f1", "roc_auc")
    ]
    pairs += [(scores.per_class[name].f1_interval, by_person.per_class[name].f1_interval) for name in CLASSES]
    dim, dim_by_person = (each.by_group["light"]["dim"] for each in (scores, by_person))
    pairs.append((dim.accuracy_interval, dim_by_person.accuracy_interval))
    for (low, high), (lower, higher) in pairs:
        assert 0 < lower < low < high < higher


def test_groups_are_people_but_for_the_one_asked_for_and_have_numbers() -> None:
    index = pd.DataFrame({"file": list("abcdef"), "person": ["ann", "ann", "", "", "bob", "bob"]})
    index["label"] = ["other", "other", "other", "other", "target", "target"]
    numbers = person_group_numbers(index, "target")
    assert numbers["a"] == numbers["b"] and numbers.nunique() == 5 and set(numbers) == set(range(5))
    moved = person_group_numbers(index.sample(frac=1, random_state=0), "target")
    assert moved.to_dict() == numbers.to_dict()


@pytest.mark.parametrize("broken", ["weights", "none"])
def test_a_model_that_diverged_is_refused_with_what_to_do(metadata: CheckpointMetadata, broken: str) -> None:
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.LazyLinear(2))
    network(torch.zeros(1, 3, 8, 8))
    if broken == "weights":
        torch.nn.init.constant_(network[1].weight, float("nan"))
    files = [f"{number}.png" for number in range(4)]
    index = pd.DataFrame({"file": files, "label": ["happy", "sad"] * 2, "split": "validation"})
    packed = Packed(np.zeros((4, 8, 8, 3), dtype=np.uint8), index)
    model = Model(fabric_for("32-true"), network, metadata, pd.Series(range(4), index=files))
    if broken == "none":
        assert len(model.predictions(packed)) == 4 and len(model.outcomes(packed, [1], 0)) > 0
        return
    for scored in (lambda: model.predictions(packed), lambda: model.outcomes(packed, [1], 0)):
        with pytest.raises(StudyError, match=r"gives NaN or infinite values for 4 of 4 .*lower variants\.vgg16\.lr"):
            scored()
