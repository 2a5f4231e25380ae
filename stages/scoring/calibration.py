"""Whether probabilities mean what they say, and how a single temperature mends them.

Guo et al. (2017): the expected calibration error over ten bins of confidence, and temperature scaling; Brier
(1950). A temperature is fitted by cross-validation, so that no picture is scored with one it had a part in.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from sklearn.metrics import brier_score_loss
from sklearn.model_selection import StratifiedKFold

from stages.scoring.losses import log_loss, log_probabilities

BINS = 10
FOLDS = 5
LOG_TEMPERATURES = (-3.0, 3.0)  # natural logarithms of the least and largest temperature tried


def calibration(truth: NDArray[np.int64], probabilities: NDArray[np.float64], seed: int) -> dict[str, Any]:
    """Calibration of N predictions over K classes, as they are and with the temperature, as plain values.

    `truth` (N,) holds class indices, `probabilities` (N, K) rows that sum to 1. `temperature` is fitted on all
    pictures (above 1: the network is too sure); `with_temperature` holds the scores of pictures that had no part in
    theirs. Both are None where a class has one picture.
    """
    found: dict[str, Any] = {**_scores(truth, probabilities), "temperature": None, "with_temperature": None}
    fewest = int(np.bincount(truth)[np.unique(truth)].min())
    if fewest > 1:
        mended = np.empty_like(probabilities)
        folds = StratifiedKFold(min(FOLDS, fewest), shuffle=True, random_state=seed)
        for fitted, held_out in folds.split(probabilities, truth):
            mended[held_out] = scaled(probabilities[held_out], temperature(truth[fitted], probabilities[fitted]))
        found |= {"temperature": temperature(truth, probabilities), "with_temperature": _scores(truth, mended)}
    return found


def temperature(truth: NDArray[np.int64], probabilities: NDArray[np.float64]) -> float:
    """The temperature with the least log loss on these pictures."""

    def loss(logarithm: float) -> float:
        return log_loss(truth, scaled(probabilities, float(np.exp(logarithm))))

    return float(np.exp(minimize_scalar(loss, bounds=LOG_TEMPERATURES, method="bounded").x))


def scaled(probabilities: NDArray[np.float64], by: float) -> NDArray[np.float64]:
    """Probabilities (N, K) as they are after their logits are divided by a temperature."""
    return np.asarray(softmax(log_probabilities(probabilities) / by, axis=1))


def reliability(truth: NDArray[np.int64], probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """(BINS, 3): of each bin of confidence, pictures, their mean confidence and the share that is right; 0 if empty."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    counts, sure, hits = (np.bincount(place, weights, BINS) for weights in (np.ones(len(truth)), confidence, right))
    return np.stack([counts, sure / np.maximum(counts, 1), hits / np.maximum(counts, 1)], axis=1)


def _scores(truth: NDArray[np.int64], probabilities: NDArray[np.float64]) -> dict[str, Any]:
    counts, confidence, accuracy = reliability(truth, probabilities).T
    error = float((counts * np.abs(confidence - accuracy)).sum() / counts.sum())
    brier = brier_score_loss(truth, probabilities, labels=np.arange(probabilities.shape[1]))
    return {
        "expected_calibration_error": error,
        "brier_score": float(brier),
        "loss": log_loss(truth, probabilities),
        "bins": {"pictures": counts.tolist(), "confidence": confidence.tolist(), "accuracy": accuracy.tolist()},
    }
