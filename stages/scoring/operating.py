"""How many of the target person's pictures are accepted at a given rate of false accepts."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

from stages.scoring.intervals import wilson

FALSE_ACCEPT_RATES = (0.01, 0.001)
COLUMNS = ["threshold", "false_accept_rate", "true_accept_rate"]


def operating_points(own: NDArray[np.bool_], sure: NDArray[np.float64]) -> pd.DataFrame:
    """The ROC curve's corners, from the strictest threshold on: who is at least so sure is accepted."""
    false_rates, true_rates, thresholds = roc_curve(own, sure)
    return pd.DataFrame(dict(zip(COLUMNS, (thresholds, false_rates, true_rates), strict=True)))


def true_accepts(own: NDArray[np.bool_], sure: NDArray[np.float64]) -> list[dict[str, Any]]:
    """For each rate of false accepts the true-accept rate, both counted on these N pictures, with their intervals.

    `own` (N,) says which pictures show the target, `sure` (N,) how probable that is. The threshold is the least
    that keeps false accepts within the rate. Their interval says what rate so few pictures can vouch for.
    """
    false_rates, true_rates, thresholds = roc_curve(own, sure, drop_intermediate=False)
    targets, others = int(own.sum()), int((~own).sum())
    found = []
    for rate in FALSE_ACCEPT_RATES:
        place = int(np.flatnonzero(false_rates <= rate)[-1])
        accepted, alarms = round(float(true_rates[place]) * targets), round(float(false_rates[place]) * others)
        threshold = float(thresholds[place])
        found.append(
            {
                "false_accept_rate": rate,
                "true_accept_rate": accepted / targets,
                "true_accept_interval": wilson(accepted, targets),
                "false_accepts": alarms,
                "false_accept_interval": wilson(alarms, others),
                "threshold": threshold if np.isfinite(threshold) else None,
            }
        )
    return found
