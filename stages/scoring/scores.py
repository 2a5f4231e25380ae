"""Numbers from predictions: what scores.json holds."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binomtest, zscore
from sklearn import metrics

LEVELS = ("0.90", "0.95")


def score(
    truth: NDArray[np.int64], probabilities: NDArray[np.float64], classes: list[str], positive: str | None
) -> dict[str, Any]:
    """Scores of N predictions over K classes, as plain values for JSON.

    `truth` (N,) holds class indices, `probabilities` (N, K) rows that sum to 1, `classes` the K
    names. With a `positive` class false positives and negatives are numbers, and the areas are that
    class's; without, they are per class, and the areas the mean over one class against the rest.
    The predicted class is the most probable one, the first of them on a tie. `loss` is the mean
    negative logarithm of the true class's probability. Raises ValueError for an empty or ill-shaped input.
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
    roc_auc, average_precision, reason = _areas(truth, probabilities, classes, positive)
    return {
        "accuracy": hits / len(truth),
        "accuracy_interval": wilson(hits, len(truth)),
        "loss": log_loss(truth, probabilities),
        "macro_f1": float(np.mean(f1)),
        "per_class": {
            name: {
                "precision": float(precision[place]),
                "recall": float(recall[place]),
                "f1": float(f1[place]),
                "support": int(support[place]),
            }
            for place, name in enumerate(classes)
        },
        "roc_auc": roc_auc,
        "average_precision": average_precision,
        "areas_reason": reason,
        "confusion_matrix": confusion.tolist(),
        "confusion_matrix_zscore": standardised(confusion).tolist(),
        "false_positives": _counts(false_positives, classes, positive),
        "false_negatives": _counts(false_negatives, classes, positive),
    }


def log_loss(truth: NDArray[np.int64], probabilities: NDArray[np.float64]) -> float:
    """Mean of -ln of the true class's probability; one that underflowed to 0 counts as the least double, 708."""
    own = probabilities[np.arange(len(truth)), truth].astype(np.float64)
    return float(-np.log(np.maximum(own, np.finfo(np.float64).tiny)).mean())


def standardised(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Each cell less the mean of all cells, by their population standard deviation; zeros where all are equal."""
    if (confusion == confusion.flat[0]).all():
        return np.zeros(confusion.shape)
    return np.asarray(zscore(confusion, axis=None), dtype=np.float64)


def wilson(successes: int, trials: int) -> list[float]:
    """Both ends of Wilson's 95 % interval of a share (Wilson 1927), each in 0..1."""
    interval = binomtest(successes, trials).proportion_ci(confidence_level=0.95, method="wilson")
    return [float(interval.low), float(interval.high)]


def epochs_to(history: pd.DataFrame) -> dict[str, int | None]:
    """First epoch whose validation accuracy reaches 90 %, 95 % and that of the last epoch; None if none does."""
    levels = {level: float(level) for level in LEVELS} | {"final": float(history["val_accuracy"].iloc[-1])}
    return {name: _first(history, level) for name, level in levels.items()}


def _first(history: pd.DataFrame, level: float) -> int | None:
    reached = history.loc[history["val_accuracy"] >= level, "epoch"]
    return None if reached.empty else int(reached.iloc[0])


def _areas(
    truth: NDArray[np.int64], probabilities: NDArray[np.float64], classes: list[str], positive: str | None
) -> tuple[float | None, float | None, str | None]:
    """Area under the ROC curve, average precision, and why they are not there where a class is absent."""
    absent = [name for place, name in enumerate(classes) if not (truth == place).any()]
    if absent:
        return None, None, f"no picture of {', '.join(absent)} to tell from the rest"
    if positive is not None:
        scored, own = probabilities[:, classes.index(positive)], truth == classes.index(positive)
    else:
        scored, own = probabilities, truth[:, None] == np.arange(len(classes))
    roc_auc = metrics.roc_auc_score(own, scored, average="macro")
    return float(roc_auc), float(metrics.average_precision_score(own, scored, average="macro")), None


def _counts(counts: NDArray[np.int64], classes: list[str], positive: str | None) -> int | dict[str, int]:
    if positive is not None:
        return int(counts[classes.index(positive)])
    return {name: int(count) for name, count in zip(classes, counts, strict=True)}
