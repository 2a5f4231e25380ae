import math
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn import metrics

from facestudy.contracts.scores import ClassScores, SplitScores
from facestudy.evaluation.calibration import log_loss
from facestudy.evaluation.intervals import f1_interval
from facestudy.evaluation.scores import epochs_to, score, standardised

THREE = ["angry", "happy", "sad"]


@pytest.fixture(autouse=True)
def no_warnings() -> None:
    warnings.simplefilter("error")


def confident(predicted: list[int], classes: int, confidence: float = 0.8) -> NDArray[np.float64]:
    """Probabilities that put the confidence on one class and share the rest out."""
    rest = (1 - confidence) / (classes - 1)
    return np.full((len(predicted), classes), rest) + (confidence - rest) * np.eye(classes)[predicted]


def test_a_binary_example_worked_by_hand() -> None:
    truth = np.array([0, 0, 0, 0, 1, 1])
    target = np.array([0.1, 0.2, 0.6, 0.3, 0.9, 0.4])
    scores = score(truth, np.stack([1 - target, target], axis=1), ["other", "target"], "target")
    assert scores.accuracy == pytest.approx(4 / 6)
    assert scores.loss == pytest.approx(-sum(map(math.log, (0.9, 0.8, 0.4, 0.7, 0.9, 0.4))) / 6)
    is_target, is_predicted = truth == 1, target > 0.5
    other, target_class = (
        f1_interval(*pair, np.arange(6)) for pair in ((~is_target, ~is_predicted), (is_target, is_predicted))
    )
    assert scores.per_class == {
        "other": ClassScores(precision=0.75, recall=0.75, f1=0.75, f1_interval=other, support=4),
        "target": ClassScores(precision=0.5, recall=0.5, f1=0.5, f1_interval=target_class, support=2),
    }
    assert scores.balanced_accuracy == pytest.approx(0.625)
    assert scores.macro_f1 == pytest.approx(0.625)
    assert scores.confusion_matrix == [[3, 1], [1, 1]]
    # mean 1.5, squared distances 2.25, 0.25, 0.25, 0.25: variance 0.75
    high, low = 1.5 / math.sqrt(0.75), -0.5 / math.sqrt(0.75)
    assert np.allclose(scores.confusion_matrix_zscore, [[high, low], [low, low]])
    assert (scores.false_positives, scores.false_negatives) == (1, 1)
    # Of the 8 pairs of a target and another, one is in the wrong order: 0.4 below 0.6.
    assert scores.roc_auc == pytest.approx(7 / 8)
    assert scores.average_precision == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert scores.areas_reason is None


def test_the_positive_class_is_taken_by_its_name() -> None:
    truth, probabilities = np.array([0, 0, 1, 1, 1]), confident([0, 1, 1, 1, 1], 2)
    assert score(truth, probabilities, ["other", "target"], "target").false_positives == 1
    assert score(truth, probabilities, ["other", "target"], "other").false_positives == 0
    assert score(truth, probabilities, ["other", "target"], "other").false_negatives == 1


def test_three_classes_of_which_one_is_never_predicted() -> None:
    truth = np.array([0, 0, 1, 1, 2, 2])
    scores = score(truth, confident([0, 1, 1, 1, 1, 0], 3), THREE, None)
    sad, happy = (scores.per_class[label] for label in ("sad", "happy"))
    assert (sad.precision, sad.recall, sad.f1, sad.support) == (0, 0, 0, 2)
    assert (happy.precision, happy.recall, happy.support) == (0.5, 1, 2) and happy.f1 == pytest.approx(2 / 3)
    assert sad.f1_interval is not None and sad.f1_interval[0] == 0
    assert happy.f1_interval is not None and happy.f1_interval[0] < 2 / 3 < happy.f1_interval[1]
    assert scores.macro_f1 == pytest.approx((0.5 + 2 / 3 + 0) / 3)
    assert scores.confusion_matrix == [[1, 1, 0], [0, 2, 0], [1, 1, 0]]
    assert scores.false_positives == {"angry": 1, "happy": 2, "sad": 0}
    assert scores.false_negatives == {"angry": 1, "happy": 0, "sad": 2}


def test_areas_over_several_classes_are_the_mean_of_one_against_the_rest() -> None:
    random = np.random.default_rng(0)
    truth, probabilities = random.integers(0, 3, 60), random.dirichlet([1, 1, 1], 60)
    scores = score(truth, probabilities, THREE, None)
    expected = metrics.roc_auc_score(truth, probabilities, multi_class="ovr", average="macro")
    assert scores.roc_auc == pytest.approx(expected)
    each = [metrics.average_precision_score(truth == number, probabilities[:, number]) for number in range(3)]
    assert scores.average_precision == pytest.approx(np.mean(each))


def test_two_classes_without_a_positive_one() -> None:
    scores = score(np.array([0, 1, 1, 0]), confident([0, 1, 0, 0], 2), ["happy", "sad"], None)
    assert scores.false_negatives == {"happy": 0, "sad": 1}
    assert scores.roc_auc == pytest.approx(0.75)


@pytest.mark.parametrize("positive", [None, "sad"])
def test_an_absent_class_leaves_no_areas_and_says_why(positive: str | None) -> None:
    scores = score(np.array([0, 1, 1]), confident([0, 1, 2], 3), THREE, positive)
    assert scores.roc_auc is None and scores.average_precision is None
    assert scores.areas_reason == "no picture of sad to tell from the rest"
    assert scores.per_class["sad"].support == 0
    assert scores.confusion_matrix == [[1, 0, 0], [0, 1, 1], [0, 0, 0]]


def test_scores_are_the_same_after_json() -> None:
    scores = score(np.array([0, 1, 2, 2]), confident([0, 1, 2, 0], 3), THREE, None)
    assert SplitScores.model_validate_json(scores.model_dump_json()) == scores


def test_a_probability_that_underflowed_keeps_the_loss_finite() -> None:
    assert log_loss(np.array([1]), np.array([[1.0, 0.0]])) == pytest.approx(708.4, abs=0.1)
    assert log_loss(np.array([1, 0]), np.array([[0.5, 0.5], [1.0, 0.0]])) == pytest.approx(math.log(2) / 2)


def test_a_matrix_of_equal_cells_is_all_zeros() -> None:
    assert standardised(np.array([[3, 3], [3, 3]])).tolist() == [[0, 0], [0, 0]]
    cells = standardised(np.array([[5, 1, 0], [2, 7, 1], [0, 0, 9]]))
    assert cells.mean() == pytest.approx(0, abs=1e-12) and cells.std() == pytest.approx(1)


def test_epochs_to() -> None:
    history = pd.DataFrame({"epoch": [1, 2, 3, 4, 5], "val_accuracy": [0.5, 0.92, 0.90, 0.94, 0.91]})
    assert epochs_to(history) == {"0.90": 2, "0.95": None, "final": 2}
    assert epochs_to(pd.DataFrame({"epoch": [1], "val_accuracy": [0.95]})) == {"0.90": 1, "0.95": 1, "final": 1}


def test_input_of_the_wrong_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="0 truths"):
        score(np.array([], dtype=np.int64), np.zeros((0, 3)), THREE, None)
    with pytest.raises(ValueError, match=r"\(2, 3\)"):
        score(np.array([0, 1]), np.zeros((2, 3)), ["happy", "sad"], None)
