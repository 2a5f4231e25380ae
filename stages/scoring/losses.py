"""The log loss, also where a probability underflowed."""

import numpy as np
from numpy.typing import NDArray


def log_probabilities(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Natural logarithms; a probability that underflowed to 0 counts as the least double, -708."""
    return np.asarray(np.log(np.maximum(probabilities, np.finfo(np.float64).tiny)))


def log_loss(truth: NDArray[np.int64], probabilities: NDArray[np.float64]) -> float:
    """Mean of -ln of the true class's probability; truth (N,) as indices, probabilities (N, K)."""
    return float(-log_probabilities(probabilities[np.arange(len(truth)), truth]).mean())
