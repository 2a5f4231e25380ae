"""Numbers from predictions: what scores.json holds."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import zscore
from sklearn import metrics

from facestudy.contracts.scores import ClassScores, Interval, SplitScores
from facestudy.evaluation import intervals
from facestudy.evaluation.calibration import calibration, log_loss
from facestudy.evaluation.operating_points import true_accepts

LEVELS = ("0.90", "0.95")


def score(
    truth: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    classes: list[str],
    positive: str | None,
    groups: NDArray[np.int64] | None = None,
    seed: int = 0,
) -> SplitScores:
    """Scores of N predictions over K classes; `by_group` stays empty.

    `truth` (N,) holds class indices, `probabilities` (N, K) rows that sum to 1, `classes` the K names. With a
    `positive` class false positives and negatives are numbers, and the areas are that class's; without, they are per
    class, and the areas the mean over one class against the rest. The predicted class is the most probable one, the
    first of them on a tie. `groups` (N,) numbers what belongs together in every interval (a person's pictures);
    without it each picture is its own group. Raises ValueError for an empty or ill-shaped input.
    """
    if not len(truth) or probabilities.shape != (len(truth), len(classes)):
        raise ValueError(f"{len(truth)} truths, {len(classes)} classes, probabilities {probabilities.shape}")
    groups = np.arange(len(truth)) if groups is None else groups
    predicted = probabilities.argmax(axis=1)
    confusion = metrics.confusion_matrix(truth, predicted, labels=np.arange(len(classes)))
    correct = np.diag(confusion)
    false_positives, false_negatives = confusion.sum(axis=0) - correct, confusion.sum(axis=1) - correct
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        truth, predicted, labels=np.arange(len(classes)), zero_division=0.0
    )
    columns = np.arange(len(classes)) if positive is None else np.array([classes.index(positive)])
    is_class, class_probabilities = truth[:, None] == columns, probabilities[:, columns]
    absent = [name for name, count in zip(classes, support, strict=True) if not count]

    def interval(of: Callable[[intervals.Numbers], intervals.Numbers]) -> Interval | None:
        return intervals.resampled(of, groups, seed)

    def area(function: Callable[..., float]) -> float | None:
        return None if absent else float(function(is_class.squeeze(), class_probabilities.squeeze(), average="macro"))

    def errors(counts: NDArray[np.int64]) -> int | dict[str, int]:
        by_class = dict(zip(classes, counts.tolist(), strict=True))
        return by_class if positive is None else by_class[positive]

    return SplitScores(
        accuracy=int(correct.sum()) / len(truth),
        accuracy_interval=intervals.share(truth == predicted, groups),
        loss=log_loss(truth, probabilities),
        balanced_accuracy=float(np.mean(recall[support > 0])),
        balanced_accuracy_interval=intervals.mean_share(truth == predicted, truth, groups),
        macro_f1=float(np.mean(f1)),
        macro_f1_interval=interval(intervals.macro_f1(truth, predicted, len(classes))),
        per_class={
            name: ClassScores(
                precision=float(precision[index]),
                recall=float(recall[index]),
                f1=float(f1[index]),
                f1_interval=intervals.f1_interval(truth == index, predicted == index, groups),
                support=int(support[index]),
            )
            for index, name in enumerate(classes)
        },
        roc_auc=area(metrics.roc_auc_score),
        roc_auc_interval=None if absent else interval(intervals.roc_auc(is_class, class_probabilities)),
        average_precision=area(metrics.average_precision_score),
        areas_reason=f"no picture of {', '.join(absent)} to tell from the rest" if absent else None,
        true_accepts=None
        if absent or positive is None
        else true_accepts(is_class[:, 0], class_probabilities[:, 0], groups),
        calibration=calibration(truth, probabilities, seed),
        confusion_matrix=confusion.tolist(),
        confusion_matrix_zscore=standardised(confusion).tolist(),
        false_positives=errors(false_positives),
        false_negatives=errors(false_negatives),
        by_group={},
    )


def standardised(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Each cell minus the mean of all cells, by their population standard deviation; zeros where all are equal."""
    if (confusion == confusion.flat[0]).all():
        return np.zeros(confusion.shape)
    return np.asarray(zscore(confusion, axis=None), dtype=np.float64)


def epochs_to(history: pd.DataFrame) -> dict[str, int | None]:
    """First epoch whose validation accuracy reaches 90 %, 95 % and that of the last epoch; None if none does."""
    levels = {level: float(level) for level in LEVELS} | {"final": float(history["val_accuracy"].iloc[-1])}
    reached = {name: history.loc[history["val_accuracy"] >= level, "epoch"] for name, level in levels.items()}
    return {name: int(epochs.iloc[0]) if len(epochs) else None for name, epochs in reached.items()}
