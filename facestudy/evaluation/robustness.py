"""How a model does on corrupted pictures, and on those that are difficult as they are."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import fisher_exact
from statsmodels.stats.multitest import multipletests

from facestudy.contracts.scores import GroupScores
from facestudy.evaluation.intervals import mean_share, share

CIRCUMSTANCES = ("light", "occlusion")  # columns of the index, where the source knows them
MIN_PICTURES = 5  # of a group that has scores


def outcome(
    truth: NDArray[np.int64], predicted: NDArray[np.int64], positive: int | None, groups: NDArray[np.int64]
) -> dict[str, int | float | None]:
    """Cells of a row of corruptions.csv from `pictures` on, of N pictures.

    `positive` is the index of a binary task's class; `groups` (N,) numbers what belongs together for the interval.
    """
    correct = truth == predicted
    low, high = mean_share(correct, truth, groups)
    return {
        "pictures": len(truth),
        "right": int(correct.sum()),
        "accuracy": float(correct.mean()),
        "balanced_accuracy": float(np.mean([correct[truth == label].mean() for label in np.unique(truth)])),
        "balanced_accuracy_low": low,
        "balanced_accuracy_high": high,
        "false_positives": None if positive is None else int((~correct & (predicted == positive)).sum()),
        "false_negatives": None if positive is None else int((~correct & (truth == positive)).sum()),
    }


def by_group(
    index: pd.DataFrame, correct: NDArray[np.bool_], persons: NDArray[np.int64]
) -> dict[str, dict[str, GroupScores]]:
    """Accuracy by the light and the occlusion that the index knows of N pictures, each group against the others.

    `persons` (N,) numbers what belongs together for the intervals. The pictures on which no face was found are a group
    too, however few they are; other groups of fewer than five pictures are left out; a
    column that the source does not have, too. The p of all groups are corrected together (Holm, 1979).
    """
    groups = {}
    for column in (name for name in CIRCUMSTANCES if name in index):
        values = index[column].to_numpy()
        large = [value for value in sorted(set(values)) if value and (values == value).sum() >= MIN_PICTURES]
        groups[column] = {value: _against_others(values, value, correct, persons) for value in large}
    if "faces_found" in index and (index["faces_found"] == "none").any():
        groups["faces_found"] = {"none": _against_others(index["faces_found"].to_numpy(), "none", correct, persons)}
    uncorrected = [group.p for of_column in groups.values() for group in of_column.values()]
    corrected = iter(multipletests(uncorrected, method="holm")[1] if uncorrected else [])
    return {
        column: {value: group.model_copy(update={"p": float(next(corrected))}) for value, group in of_column.items()}
        for column, of_column in groups.items()
    }


def _against_others(
    values: NDArray[np.object_], value: str, correct: NDArray[np.bool_], persons: NDArray[np.int64]
) -> GroupScores:
    """A group against the pictures with another known value, by Fisher's exact test (1922), which ignores persons."""
    own, others = correct[values == value], correct[(values != value) & (values != "")]
    return GroupScores(
        pictures=len(own),
        accuracy=float(own.mean()),
        accuracy_interval=share(own, persons[values == value]),
        others_accuracy=float(others.mean()) if len(others) else None,
        p=float(fisher_exact([[part.sum(), (~part).sum()] for part in (own, others)]).pvalue),
    )
