"""How many of the target person's pictures are accepted at a given rate of false accepts."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

from facestudy.contracts.scores import OperatingPoint
from facestudy.evaluation.intervals import share

FALSE_ACCEPT_RATES = (0.01, 0.001)
COLUMNS = ["threshold", "false_accept_rate", "true_accept_rate"]


def operating_points(is_target: NDArray[np.bool_], probabilities: NDArray[np.float64]) -> pd.DataFrame:
    """The ROC curve's corners, from the strictest threshold on; a picture at least so probable is accepted."""
    false_rates, true_rates, thresholds = roc_curve(is_target, probabilities)
    return pd.DataFrame(dict(zip(COLUMNS, (thresholds, false_rates, true_rates), strict=True)))


def true_accepts(
    is_target: NDArray[np.bool_], probabilities: NDArray[np.float64], groups: NDArray[np.int64]
) -> list[OperatingPoint]:
    """For each rate of false accepts the true-accept rate, both counted on these N pictures, with their intervals.

    `is_target` (N,) says which pictures show the target, `probabilities` (N,) how probable that is, `groups` (N,) what
    belongs together for the intervals. The threshold is the lowest that keeps false accepts within the rate. Their
    interval says what rate so few pictures can support.
    """
    false_rates, _, thresholds = roc_curve(is_target, probabilities, drop_intermediate=False)
    points = []
    for rate in FALSE_ACCEPT_RATES:
        threshold = float(thresholds[np.flatnonzero(false_rates <= rate)[-1]])
        accepted = probabilities >= threshold
        points.append(
            OperatingPoint(
                false_accept_rate=rate,
                true_accept_rate=float(accepted[is_target].mean()),
                true_accept_interval=share(accepted[is_target], groups[is_target]),
                false_accepts=int(accepted[~is_target].sum()),
                false_accept_interval=share(accepted[~is_target], groups[~is_target]),
                threshold=threshold if np.isfinite(threshold) else None,
            )
        )
    return points
