"""How far a score may lie from what more pictures would give: 95 % intervals.

Shares have Wilson's interval (1927). The F1 of a class has it too: of the pictures that are of the class or predicted
as it, hits are a share, J = hits / (hits + false positives + false negatives), and F1 = 2 J / (1 + J) rises with J.
Means over classes and areas under curves have the standard error of the bootstrap (Efron, 1979), which draws whole
persons where they are known, on the scale of the log odds, which keeps both ends in 0..1. docs/coverage.md says how
often each held the true value in simulations.
"""

import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import DegenerateDataWarning, binomtest, bootstrap, norm

from facestudy.contracts.scores import Interval

Numbers = NDArray[np.float64]
LEVEL = 0.95
RESAMPLES = 999
STREAM = 3  # of the seed's random numbers


def wilson(successes: int, trials: int) -> Interval:
    """Both ends of Wilson's interval of a share, each in 0..1."""
    interval = binomtest(successes, trials).proportion_ci(confidence_level=LEVEL, method="wilson")
    return float(interval.low), float(interval.high)


def f1_interval(hits: int, false_positives: int, false_negatives: int) -> Interval | None:
    """Both ends of the interval of a class's F1; None where no picture is of the class or predicted as it."""
    trials = hits + false_positives + false_negatives
    if not trials:
        return None
    low, high = wilson(hits, trials)
    return 2 * low / (1 + low), 2 * high / (1 + high)


def resampled(score: Callable[[Numbers], Numbers], groups: NDArray[np.int64], seed: int) -> Interval | None:
    """Both ends of the interval of a score of N pictures, by drawing their groups anew.

    `score` gives (R,) values in 0..1 of (R, N) weights, how often each picture counts; `groups` (N,) is the number of
    each picture's group. None where the score is 0 or 1 or does not vary, or there is one group only. A draw that
    leaves out a class, and so has no score, is not counted.
    """
    value = float(score(np.ones((1, len(groups))))[0])
    names, group = np.unique(groups, return_inverse=True)

    def statistic(drawn: NDArray[np.int64], axis: int = -1) -> Numbers:
        drawn = np.atleast_2d(drawn)
        counts = np.zeros(drawn.shape)
        np.add.at(counts, (np.arange(len(drawn))[:, None], drawn), 1)
        return score(counts[:, group])

    if not 0 < value < 1 or len(names) < 2:
        return None
    random = np.random.default_rng([seed, STREAM])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)  # for the draws without a score
        drawn = bootstrap(
            (np.arange(len(names)),), statistic, n_resamples=RESAMPLES, batch=100, method="percentile", rng=random
        ).bootstrap_distribution
    spread = float(np.std(drawn[np.isfinite(drawn)], ddof=1))
    if not spread > 0:
        return None
    half = norm.ppf((1 + LEVEL) / 2) * spread / (value * (1 - value))
    low, high = expit(logit(value) + np.array([-half, half]))
    return float(low), float(high)


def macro_f1(truth: NDArray[np.int64], predicted: NDArray[np.int64], classes: int) -> Callable[[Numbers], Numbers]:
    """The mean of the classes' F1, as a function of the pictures' weights (R, N); an absent class has 0."""
    is_class, is_predicted = (np.eye(classes)[values] for values in (truth, predicted))

    def score(weights: Numbers) -> Numbers:
        pictures = weights @ is_class + weights @ is_predicted
        return np.asarray((2 * (weights @ (is_class * is_predicted)) / np.maximum(pictures, 1e-12)).mean(axis=1))

    return score


def balanced_accuracy(truth: NDArray[np.int64], predicted: NDArray[np.int64]) -> Callable[[Numbers], Numbers]:
    """The mean recall of the classes that are there, as a function of the pictures' weights (R, N)."""
    is_class = truth[:, None] == np.unique(truth)
    correct = is_class * (truth == predicted)[:, None]

    def score(weights: Numbers) -> Numbers:
        with np.errstate(invalid="ignore"):  # a draw without a class has no recall of it
            return np.asarray(((weights @ correct) / (weights @ is_class)).mean(axis=1))

    return score


def roc_auc(is_class: NDArray[np.bool_], probabilities: Numbers) -> Callable[[Numbers], Numbers]:
    """Area under the ROC curve of N pictures as a function of their weights (R, N).

    `is_class` (N, K) says which pictures are of a class, `probabilities` (N, K) how probable it is; the mean over the
    K. It is the share of pairs in the correct order, ties by half (Mann and Whitney, 1947).
    """

    def of_class(weights: Numbers, is_class: NDArray[np.bool_], probability: Numbers) -> Numbers:
        order = np.argsort(probability, kind="stable")
        _, ties = np.unique(probability[order], return_index=True)
        positive, negative = (
            np.add.reduceat(weights[:, order] * part[order], ties, axis=1) for part in (is_class, ~is_class)
        )
        below = np.cumsum(negative, axis=1) - negative / 2
        pairs = positive.sum(axis=1) * negative.sum(axis=1)
        with np.errstate(invalid="ignore"):  # a draw without the class, or without another, has no area
            return np.asarray((positive * below).sum(axis=1) / pairs)

    def score(weights: Numbers) -> Numbers:
        areas = [of_class(weights, *columns) for columns in zip(is_class.T, probabilities.T, strict=True)]
        return np.asarray(np.mean(areas, axis=0))

    return score
