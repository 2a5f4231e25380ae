"""How far a score may lie from what more pictures would give: 95 % intervals.

Pictures of one person are not independent: a model tends to be right on all of them or on none. Every interval here
therefore takes the number of each picture's group, which is its person where that is known and else the picture alone.

Shares (accuracy, true accepts) have Wilson's interval (1927), of fewer pictures than there are: of the number that
would say as much if each were of another person. That is the number of pictures divided by the design effect (Kish,
Survey sampling, 1965; for intervals of shares Korn and Graubard, 1998, and Franco et al., 2019). Where each picture is
a group of its own the effect is 1 and the interval Wilson's. The mean of several shares (balanced accuracy) has the
interval of a single share with the same variance. The F1 of a class is a share too: of the pictures that are of the
class or predicted as it, hits are J = hits / (hits + false positives + false negatives), and F1 = 2 J / (1 + J) rises
with J.

The mean F1 and areas under curves have the standard error of the bootstrap (Efron, 1979), which draws whole groups, on
the scale of the log odds, which keeps both ends in 0..1. docs/coverage.md says how often each held the true value in
simulations.
"""

import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import DegenerateDataWarning, bootstrap, norm, t
from statsmodels.stats.proportion import proportion_confint

from facestudy.contracts.scores import Interval

Numbers = NDArray[np.float64]
Groups = NDArray[np.int64]
LEVEL = 0.95
ADDED = 4  # pictures, half of them hits, without which a part with no error would have no variance
RESAMPLES = 999
STREAM = 3  # of the seed's random numbers


def wilson(hits: float, trials: float) -> Interval:
    """Both ends of Wilson's interval of a share, each in 0..1; neither number need be whole."""
    low, high = proportion_confint(hits, trials, alpha=1 - LEVEL, method="wilson")
    return float(low), float(high)


def share(hits: NDArray[np.bool_], groups: Groups) -> Interval:
    """Both ends of the interval of the share of hits among N pictures; `groups` (N,) numbers each one's group."""
    return mean_share(hits, np.zeros(len(hits), dtype=np.int64), groups)


def mean_share(hits: NDArray[np.bool_], parts: NDArray[np.int64], groups: Groups) -> Interval:
    """Both ends of the interval of the mean, over parts, of the share of hits in each.

    `hits`, `parts` and `groups` (N,) say of each picture whether it is a hit, in which part it is, and in which group.
    With the classes as parts and correct answers as hits, the mean is the balanced accuracy. Variances are those of
    shares with two hits and two misses more (Agresti and Coull, 1998); with a single part these cancel out.
    """
    _, part, sizes = np.unique(parts, return_inverse=True, return_counts=True)
    shares = np.bincount(part, weights=hits) / sizes
    effect = _design_effect((hits - shares[part]) / sizes[part], groups)
    smoothed = (shares * sizes + ADDED / 2) / (sizes + ADDED)
    variance = (smoothed * (1 - smoothed) / sizes).sum() / len(sizes) ** 2
    trials = smoothed.mean() * (1 - smoothed.mean()) / variance / effect  # of a share with this variance
    mean = float(shares.mean())
    low, high = wilson(mean * trials, trials)
    return min(low, mean), max(high, mean)  # where rounding would put an end on the other side


def f1_interval(is_class: NDArray[np.bool_], is_predicted: NDArray[np.bool_], groups: Groups) -> Interval | None:
    """Both ends of the interval of a class's F1; None where no picture is of the class or predicted as it."""
    either = is_class | is_predicted
    if not either.any():
        return None
    low, high = share((is_class & is_predicted)[either], groups[either])
    return 2 * low / (1 + low), 2 * high / (1 + high)


def _design_effect(deviations: Numbers, groups: Groups) -> float:
    """How many times as many pictures it takes as if each were of another person; at least 1.

    `deviations` (N,) are the pictures' own terms of a mean, with the sum 0. The effect is the variance of the mean with
    whole groups as independent terms, divided by its variance with pictures as such. Few groups tell little about
    their own variance, so both are weighted by the width of Student's distribution. Where no picture deviates there is
    no variance to compare, and the effect is 1.
    """
    pictures = len(deviations)
    sums: Numbers = np.bincount(np.unique(groups, return_inverse=True)[1], weights=deviations).astype(np.float64)
    if len(sums) < 2:
        return float(pictures)
    alone, together = _spread(deviations), _spread(sums)
    return max(1.0, together / alone) if alone > 0 else 1.0


def _spread(terms: Numbers) -> float:
    """Squared half width of the interval of a sum of independent terms, whose mean is 0, by Student's distribution."""
    number = len(terms)
    return float(t.ppf((1 + LEVEL) / 2, number - 1) ** 2 * number / (number - 1) * (terms**2).sum())


def resampled(score: Callable[[Numbers], Numbers], groups: Groups, seed: int) -> Interval | None:
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
