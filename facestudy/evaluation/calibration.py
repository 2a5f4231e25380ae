"""Whether probabilities mean what they say, and how one temperature corrects them.

Guo et al. (2017): the expected calibration error over ten bins of confidence, and temperature scaling; Brier (1950).
A temperature is scored by cross-validation, so that no picture is scored with one that was fitted on it, and it is
applied where that lowers the log loss.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from sklearn.metrics import brier_score_loss
from sklearn.model_selection import StratifiedKFold

from facestudy.contracts.scores import Bins, Calibration, CalibrationScores

BINS = 10
FOLDS = 5
LOG_TEMPERATURES = (-3.0, 3.0)  # natural logarithms of the lowest and highest temperature tried
AT_BOUND = 0.01  # a logarithm this near to one of them is there because the fit could not go further


def calibration(truth: NDArray[np.int64], probabilities: NDArray[np.float64], seed: int) -> Calibration:
    """Calibration of N predictions over K classes, as they are and with a temperature.

    `truth` (N,) holds class indices, `probabilities` (N, K) rows that sum to 1. `fitted_temperature` is fitted on all
    pictures (above 1: the network is overconfident); `with_temperature` holds the scores of pictures that were not
    among those that theirs was fitted on. Both are None where a class has one picture. `temperature` is the fitted one,
    or 1 where that is not to be applied: `not_applied` says why.
    """
    plain = _scores(truth, probabilities)
    fewest = int(np.bincount(truth)[np.unique(truth)].min())
    if fewest < 2:
        return Calibration(
            **dict(plain),
            fitted_temperature=None,
            with_temperature=None,
            temperature=1.0,
            not_applied="a class has one picture, too few to fit one",
        )
    corrected = np.empty_like(probabilities)
    folds = StratifiedKFold(min(FOLDS, fewest), shuffle=True, random_state=seed)
    for others, held_out in folds.split(probabilities, truth):
        corrected[held_out] = scaled(probabilities[held_out], temperature(truth[others], probabilities[others]))
    fitted, cross_validated = temperature(truth, probabilities), _scores(truth, corrected)
    reason: str | None = None
    if (probabilities.argmax(axis=1) == truth).all():
        reason = "without an error on these pictures, the lower a temperature, the better it fits"
    elif min(abs(np.log(fitted) - np.array(LOG_TEMPERATURES))) < AT_BOUND:
        reason = f"the fit ends at the {'highest' if fitted > 1 else 'lowest'} temperature that was tried"
    elif cross_validated.loss >= plain.loss:
        reason = "in cross-validation it does not lower the log loss"
    return Calibration(
        **dict(plain),
        fitted_temperature=fitted,
        with_temperature=cross_validated,
        temperature=fitted if reason is None else 1.0,
        not_applied=reason,
    )


def temperature(truth: NDArray[np.int64], probabilities: NDArray[np.float64]) -> float:
    """The temperature with the least log loss on these pictures."""

    def loss(logarithm: float) -> float:
        return log_loss(truth, scaled(probabilities, float(np.exp(logarithm))))

    return float(np.exp(minimize_scalar(loss, bounds=LOG_TEMPERATURES, method="bounded").x))


def scaled(probabilities: NDArray[np.float64], by: float) -> NDArray[np.float64]:
    """Probabilities (N, K) as they are after their logits are divided by a temperature."""
    return np.asarray(softmax(log_probabilities(probabilities) / by, axis=1))


def reliability(truth: NDArray[np.int64], probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """(BINS, 3): of each bin of confidence, pictures, their mean confidence and accuracy; 0 where empty."""
    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    counts, *sums = (np.bincount(bins, weights, BINS) for weights in (np.ones(len(truth)), confidence, correct))
    return np.stack([counts, *(part / np.maximum(counts, 1) for part in sums)], axis=1)


def _scores(truth: NDArray[np.int64], probabilities: NDArray[np.float64]) -> CalibrationScores:
    classes = probabilities.shape[1]
    counts, confidence, accuracy = reliability(truth, probabilities).T
    return CalibrationScores(
        expected_calibration_error=float((counts * np.abs(confidence - accuracy)).sum() / counts.sum()),
        brier_score=float(brier_score_loss(truth, probabilities, labels=range(classes), scale_by_half=False)),
        loss=log_loss(truth, probabilities),
        bins=Bins(pictures=counts.tolist(), confidence=confidence.tolist(), accuracy=accuracy.tolist()),
    )


def log_probabilities(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Natural logarithms; a probability that underflowed to 0 counts as the least double, -708."""
    return np.asarray(np.log(np.maximum(probabilities, np.finfo(np.float64).tiny)))


def log_loss(truth: NDArray[np.int64], probabilities: NDArray[np.float64]) -> float:
    """Mean of -ln of the true class's probability; truth (N,) as indices, probabilities (N, K)."""
    return float(-log_probabilities(probabilities[np.arange(len(truth)), truth]).mean())
