"""How a model does on hard versions of its pictures, and on those that are hard by themselves."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.scoring.intervals import wilson

COLUMNS = ["kind", "strength", "pictures", "right", "accuracy", "low", "high", "false_positives", "false_negatives"]
CIRCUMSTANCES = ("light", "occlusion")  # columns of the index, where the source knows them
FEWEST = 5  # pictures of a group that has a row


def outcome(truth: NDArray[np.int64], predicted: NDArray[np.int64], positive: int | None) -> dict[str, Any]:
    """Pictures, those right, accuracy with its interval; false positives and negatives of a binary task, else None."""
    right = int((truth == predicted).sum())
    low, high = wilson(right, len(truth))
    wrong = None if positive is None else (truth != predicted)
    return {
        "pictures": len(truth),
        "right": right,
        "accuracy": right / len(truth),
        "low": low,
        "high": high,
        "false_positives": None if wrong is None else int((wrong & (predicted == positive)).sum()),
        "false_negatives": None if wrong is None else int((wrong & (truth == positive)).sum()),
    }


def by_group(index: pd.DataFrame, right: NDArray[np.bool_]) -> dict[str, dict[str, Any]]:
    """Accuracy with its interval by the light and the occlusion that the index knows of N pictures.

    Groups of fewer than five pictures are left out; a column that the source does not have, too.
    """
    found: dict[str, dict[str, Any]] = {}
    for column in CIRCUMSTANCES:
        if column not in index:
            continue
        values = index[column].to_numpy(dtype=str)
        groups = {value: right[values == value] for value in sorted(set(values)) if value}
        found[column] = {
            value: {
                "pictures": len(mine),
                "accuracy": float(mine.mean()),
                "accuracy_interval": wilson(int(mine.sum()), len(mine)),
            }
            for value, mine in groups.items()
            if len(mine) >= FEWEST
        }
    return found
