"""How a model does on corrupted pictures, and on those that are difficult as they are."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from facestudy.contracts.scores import GroupScores
from facestudy.evaluation.intervals import wilson

CIRCUMSTANCES = ("light", "occlusion")  # columns of the index, where the source knows them
MIN_PICTURES = 5  # of a group that has scores


def outcome(
    truth: NDArray[np.int64], predicted: NDArray[np.int64], positive: int | None
) -> dict[str, int | float | None]:
    """Cells of a row of corruptions.csv from `pictures` on; `positive` is the index of a binary task's class."""
    correct = truth == predicted
    low, high = wilson(int(correct.sum()), len(truth))
    return {
        "pictures": len(truth),
        "right": int(correct.sum()),
        "accuracy": float(correct.mean()),
        "low": low,
        "high": high,
        "false_positives": None if positive is None else int((~correct & (predicted == positive)).sum()),
        "false_negatives": None if positive is None else int((~correct & (truth == positive)).sum()),
    }


def by_group(index: pd.DataFrame, correct: NDArray[np.bool_]) -> dict[str, dict[str, GroupScores]]:
    """Accuracy with its interval by the light and the occlusion that the index knows of N pictures.

    Groups of fewer than five pictures are left out; a column that the source does not have, too.
    """

    def scores(members: "pd.Series[bool]") -> GroupScores:
        pictures, hits = len(members), int(members.sum())
        return GroupScores(pictures=pictures, accuracy=hits / pictures, accuracy_interval=wilson(hits, pictures))

    groups = {
        column: pd.Series(correct).groupby(index[column].to_numpy()) for column in CIRCUMSTANCES if column in index
    }
    return {
        column: {str(value): scores(part) for value, part in grouped if value and len(part) >= MIN_PICTURES}
        for column, grouped in groups.items()
    }
