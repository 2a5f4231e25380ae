"""Whether variants differ by more than chance: on the same pictures, and over several seeds."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import fmean, stdev
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binom, binomtest, t, ttest_rel
from statsmodels.stats.multitest import multipletests

from facestudy.contracts.differences import Difference, Differences, SeedDifference
from facestudy.contracts.results import Result

ROUNDING = 1e-12  # shares of the same counts differ by no more
Pair = TypeVar("Pair", Difference, SeedDifference)


def between_variants(results: Sequence[Result], predictions: Sequence[pd.DataFrame]) -> Differences:
    """By seed, every pair of variants on the same pictures; over several seeds, the pairs' mean differences.

    `predictions` holds each result's table of file, split, person_group, truth and prediction. Seeds that were
    validated on folds of their own are merged under `all`, each picture once.
    """
    seeds: dict[str, dict[str, pd.DataFrame]] = {}
    accuracies: dict[str, list[float]] = {}
    for result, table in zip(results, predictions, strict=True):
        seeds.setdefault(str(result.seed), {})[result.variant] = table[table["split"] == "validation"]
        accuracies.setdefault(result.variant, []).append(result.scores.accuracy)
    validated = {frozenset(table["file"]) for tables in seeds.values() for table in tables.values()}
    folds = len(validated) if len(validated) > 1 else 0
    over_seeds = seed_differences(accuracies, folds) if len(seeds) > 1 else []
    if folds:
        seeds = {"all": {variant: pd.concat([tables[variant] for tables in seeds.values()]) for variant in accuracies}}
    by_seed = {seed: differences(tables) for seed, tables in seeds.items()}
    return Differences(by_seed=by_seed, over_seeds=over_seeds)


def differences(predictions: Mapping[str, pd.DataFrame]) -> list[Difference]:
    """Every pair of variants, by their tables of file, person_group, truth and prediction; corrected together.

    Raises ValueError where two were not scored on the same pictures.
    """
    tables = {
        variant: table.assign(correct=table["truth"] == table["prediction"]).set_index("file")
        for variant, table in predictions.items()
    }
    if len({frozenset(table.index) for table in tables.values()}) > 1:
        raise ValueError("the variants were not scored on the same pictures")
    pairs = []
    for pair in combinations(tables, 2):
        first, second = sorted(pair, key=lambda variant: -tables[variant]["correct"].mean())
        one, groups = tables[first]["correct"], tables[first]["person_group"]
        other = tables[second]["correct"].reindex(one.index)
        better, worse = int((one & ~other).sum()), int((~one & other).sum())
        of_groups = (one.astype(int) - other.astype(int)).groupby(groups).sum()
        pairs.append(
            Difference(
                first=first,
                second=second,
                accuracy=(better - worse) / len(one),
                better=better,
                worse=worse,
                by_person=len(of_groups) < len(one),
                p=sign_flip(np.asarray(of_groups, dtype=np.int64)),
            )
        )
    return _corrected(pairs)


def sign_flip(differences: NDArray[np.int64]) -> float:
    """Two-sided p of the sum of N whole differences, if each were as likely to be of the other sign.

    It is exact: the distribution of the sum over all 2^N choices of the signs, put together from one binomial
    distribution for each size of the differences (Fisher's randomisation test, The design of experiments, 1935).
    Where all sizes are 1 it is McNemar's exact test.
    """
    sizes, numbers = np.unique(np.abs(differences[differences != 0]), return_counts=True)
    distribution = np.ones(1)  # of the sum of the sizes whose sign is plus: 0, 1, ...
    for size, number in zip(sizes, numbers, strict=True):
        of_size = np.zeros(size * number + 1)
        of_size[::size] = binom.pmf(np.arange(number + 1), number, 0.5)
        distribution = np.convolve(distribution, of_size)
    total = len(distribution) - 1
    sums = 2 * np.arange(total + 1) - total
    return min(1.0, float(distribution[np.abs(sums) >= abs(differences.sum())].sum()))


def seed_differences(accuracies: Mapping[str, Sequence[float]], folds: int = 0) -> list[SeedDifference]:
    """Every pair of variants, by their accuracies with the same seeds in the same order; corrected together.

    They say what another training would give on these pictures, not what other pictures would. Where each seed was
    validated on another of k folds, the trainings have most of their pictures in common and vary too little; the
    variance then grows by the factor 1 + n / (k - 1) for n trainings (Nadeau and Bengio, Inference for the
    generalization error, 2003).
    """
    pairs = []
    for pair in combinations(accuracies, 2):
        first, second = sorted(pair, key=lambda variant: -fmean(accuracies[variant]))
        paired = [one - other for one, other in zip(accuracies[first], accuracies[second], strict=True)]
        number = len(paired)
        if np.ptp(paired) > ROUNDING:
            statistic = ttest_rel(accuracies[first], accuracies[second]).statistic
            overlap = 1 + number / (folds - 1) if folds else 1
            p = float(2 * t.sf(abs(statistic) / np.sqrt(overlap), number - 1))
        else:  # without any variation there is no t; a sign test of differences that all have one sign
            p = 1.0 if abs(paired[0]) < ROUNDING else float(binomtest(number, number).pvalue)
        mean, deviation = fmean(paired), stdev(paired)
        pairs.append(SeedDifference(first=first, second=second, mean=mean, deviation=deviation, seeds=number, p=p))
    return _corrected(pairs)


def _corrected(pairs: list[Pair]) -> list[Pair]:
    if not pairs:
        return []
    corrected = multipletests([pair.p for pair in pairs], method="holm")[1]
    return [pair.model_copy(update={"p": float(p)}) for pair, p in zip(pairs, corrected, strict=True)]
