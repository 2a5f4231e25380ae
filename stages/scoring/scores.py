"""Numbers from predictions: what scores.json holds."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import zscore
from sklearn import metrics

from stages.scoring import intervals
from stages.scoring.calibration import calibration
from stages.scoring.losses import log_loss
from stages.scoring.operating import true_accepts

LEVELS = ("0.90", "0.95")


def score(
    truth: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    classes: list[str],
    positive: str | None,
    groups: NDArray[np.int64] | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Scores of N predictions over K classes, as plain values for JSON.

    `truth` (N,) holds class indices, `probabilities` (N, K) rows that sum to 1, `classes` the K
    names. With a `positive` class false positives and negatives are numbers, and the areas are that
    class's; without, they are per class, and the areas the mean over one class against the rest.
    The predicted class is the most probable one, the first of them on a tie. `loss` is the mean
    negative logarithm of the true class's probability. `groups` (N,) numbers what is drawn as a whole for
    the intervals that rest on resampling (a person's pictures); without it each picture is by itself.
    An interval is None where the score does not vary between draws. Raises ValueError for an empty or
    ill-shaped input.
    """
    if not len(truth) or probabilities.shape != (len(truth), len(classes)):
        raise ValueError(f"{len(truth)} truths, {len(classes)} classes, probabilities {probabilities.shape}")
    indices = np.arange(len(classes))
    predicted = probabilities.argmax(axis=1)
    confusion = metrics.confusion_matrix(truth, predicted, labels=indices)
    hits = int(np.trace(confusion))
    false_positives = confusion.sum(axis=0) - np.diag(confusion)
    false_negatives = confusion.sum(axis=1) - np.diag(confusion)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        truth, predicted, labels=indices, zero_division=0.0
    )
    own, scored = _one_against_rest(truth, probabilities, classes, positive)
    roc_auc, average_precision, reason = _areas(truth, own, scored, classes)
    groups = np.arange(len(truth)) if groups is None else groups

    def interval(of: Callable[[intervals.Numbers], intervals.Numbers]) -> list[float] | None:
        return intervals.resampled(of, groups, seed)

    return {
        "accuracy": hits / len(truth),
        "accuracy_interval": intervals.wilson(hits, len(truth)),
        "loss": log_loss(truth, probabilities),
        "balanced_accuracy": float(np.mean(recall[support > 0])),
        "balanced_accuracy_interval": interval(intervals.balanced_accuracy(truth, predicted)),
        "macro_f1": float(np.mean(f1)),
        "macro_f1_interval": interval(intervals.macro_f1(truth, predicted, len(classes))),
        "per_class": {
            name: {
                "precision": float(precision[place]),
                "recall": float(recall[place]),
                "f1": float(f1[place]),
                "f1_interval": intervals.f1_interval(
                    int(confusion[place, place]), int(false_positives[place]), int(false_negatives[place])
                ),
                "support": int(support[place]),
            }
            for place, name in enumerate(classes)
        },
        "roc_auc": roc_auc,
        "roc_auc_interval": interval(intervals.roc_auc(own, scored)) if roc_auc is not None else None,
        "average_precision": average_precision,
        "areas_reason": reason,
        "true_accepts": true_accepts(own[:, 0], scored[:, 0]) if positive is not None and reason is None else None,
        "calibration": calibration(truth, probabilities, seed),
        "confusion_matrix": confusion.tolist(),
        "confusion_matrix_zscore": standardised(confusion).tolist(),
        "false_positives": _counts(false_positives, classes, positive),
        "false_negatives": _counts(false_negatives, classes, positive),
    }


def standardised(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Each cell less the mean of all cells, by their population standard deviation; zeros where all are equal."""
    if (confusion == confusion.flat[0]).all():
        return np.zeros(confusion.shape)
    return np.asarray(zscore(confusion, axis=None), dtype=np.float64)


def epochs_to(history: pd.DataFrame) -> dict[str, int | None]:
    """First epoch whose validation accuracy reaches 90 %, 95 % and that of the last epoch; None if none does."""
    levels = {level: float(level) for level in LEVELS} | {"final": float(history["val_accuracy"].iloc[-1])}
    return {name: _first(history, level) for name, level in levels.items()}


def _first(history: pd.DataFrame, level: float) -> int | None:
    reached = history.loc[history["val_accuracy"] >= level, "epoch"]
    return None if reached.empty else int(reached.iloc[0])


def _one_against_rest(
    truth: NDArray[np.int64], probabilities: NDArray[np.float64], classes: list[str], positive: str | None
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Whether a picture is of a class, and how probable that is, (N, 1) for the positive class or (N, K)."""
    places = np.arange(len(classes)) if positive is None else np.array([classes.index(positive)])
    return truth[:, None] == places, probabilities[:, places]


def _areas(
    truth: NDArray[np.int64], own: NDArray[np.bool_], scored: NDArray[np.float64], classes: list[str]
) -> tuple[float | None, float | None, str | None]:
    """Area under the ROC curve, average precision, and why they are not there where a class is absent."""
    absent = [name for place, name in enumerate(classes) if not (truth == place).any()]
    if absent:
        return None, None, f"no picture of {', '.join(absent)} to tell from the rest"
    if own.shape[1] == 1:
        own, scored = own[:, 0], scored[:, 0]
    roc_auc = metrics.roc_auc_score(own, scored, average="macro")
    return float(roc_auc), float(metrics.average_precision_score(own, scored, average="macro")), None


def _counts(counts: NDArray[np.int64], classes: list[str], positive: str | None) -> int | dict[str, int]:
    if positive is not None:
        return int(counts[classes.index(positive)])
    return {name: int(count) for name, count in zip(classes, counts, strict=True)}
