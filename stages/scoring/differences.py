"""Whether variants differ by more than chance: on the same pictures, and over several seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import fmean, stdev

import numpy as np
import pandas as pd
from scipy.stats import binomtest, t, ttest_rel
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

ROUNDING = 1e-12  # shares of the same counts differ by no more


@dataclass(frozen=True)
class Difference:
    """Two variants on the same pictures, the first at least as often right as the second."""

    first: str
    second: str
    accuracy: float  # of the first less that of the second, 0..1
    better: int  # pictures on which the first alone is right
    worse: int  # pictures on which the second alone is right
    p: float  # exact and two-sided (McNemar, 1947), corrected for the number of pairs (Holm, 1979)


@dataclass(frozen=True)
class SeedDifference:
    """Two variants trained with the same seeds, the first on average at least as accurate as the second."""

    first: str
    second: str
    mean: float  # of the paired differences in accuracy, 0..1
    deviation: float  # of them, as of a sample
    seeds: int
    p: float  # paired t test, two-sided, corrected for folds and for the number of pairs (Holm, 1979)


def differences(predictions: Mapping[str, pd.DataFrame]) -> list[Difference]:
    """Every pair of variants, by their tables of file, truth and prediction; corrected together.

    Raises ValueError where two were not scored on the same pictures.
    """
    right = {
        name: pd.Series((table["truth"] == table["prediction"]).to_numpy(), index=table["file"])
        for name, table in predictions.items()
    }
    if len({frozenset(series.index) for series in right.values()}) > 1:
        raise ValueError("the variants were not scored on the same pictures")
    found = []
    for pair in combinations(right, 2):
        first, second = sorted(pair, key=lambda name: -right[name].mean())
        one, other = right[first], right[second].reindex(right[first].index)
        better, worse = int((one & ~other).sum()), int((~one & other).sum())
        table = np.array([[(one & other).sum(), better], [worse, (~one & ~other).sum()]])
        p = float(mcnemar(table, exact=True).pvalue)
        found.append(Difference(first, second, (better - worse) / len(one), better, worse, p))
    return [replace(each, p=p) for each, p in zip(found, _holm([each.p for each in found]), strict=True)]


def seed_differences(accuracies: Mapping[str, Sequence[float]], folds: int = 0) -> list[SeedDifference]:
    """Every pair of variants, by their accuracies with the same seeds in the same order; corrected together.

    They tell what another training would give on these pictures, not what other pictures would. Where each seed
    was validated on another of k folds, the trainings share most of their pictures and vary too little; the
    variance then grows by the factor 1 + n / (k - 1) for n trainings (Nadeau and Bengio, Inference for the
    generalization error, 2003).
    """
    found = []
    for pair in combinations(accuracies, 2):
        first, second = sorted(pair, key=lambda name: -fmean(accuracies[name]))
        apart = [one - other for one, other in zip(accuracies[first], accuracies[second], strict=True)]
        if np.ptp(apart) > ROUNDING:
            statistic = ttest_rel(accuracies[first], accuracies[second]).statistic
            overlap = 1 + len(apart) / (folds - 1) if folds else 1
            p = float(2 * t.sf(abs(statistic) / np.sqrt(overlap), len(apart) - 1))
        else:  # without any variation there is no t; a sign test of differences that all have one sign
            p = 1.0 if abs(apart[0]) < ROUNDING else float(binomtest(len(apart), len(apart)).pvalue)
        found.append(SeedDifference(first, second, fmean(apart), stdev(apart), len(apart), p))
    return [replace(each, p=p) for each, p in zip(found, _holm([each.p for each in found]), strict=True)]


def _holm(p: Sequence[float]) -> list[float]:
    return [float(value) for value in multipletests(p, method="holm")[1]] if p else []
