"""Whether variants differ by more than chance: on the same pictures, and over several seeds."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import fmean, stdev
from typing import TypeVar

import numpy as np
import pandas as pd
from scipy.stats import binomtest, t, ttest_rel
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from facestudy.contracts.differences import Difference, Differences, SeedDifference
from facestudy.contracts.results import Result

ROUNDING = 1e-12  # shares of the same counts differ by no more
Pair = TypeVar("Pair", Difference, SeedDifference)


def between_variants(results: Sequence[Result], predictions: Sequence[pd.DataFrame]) -> Differences:
    """By seed, every pair of variants on the same pictures; over several seeds, the pairs' mean differences.

    `predictions` holds each result's table of file, split, truth and prediction. Seeds that were validated on folds
    of their own are merged under `all`, each picture once.
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
    """Every pair of variants, by their tables of file, truth and prediction; corrected together.

    Raises ValueError where two were not scored on the same pictures.
    """
    correct = {
        variant: pd.Series((table["truth"] == table["prediction"]).to_numpy(), index=table["file"])
        for variant, table in predictions.items()
    }
    if len({frozenset(series.index) for series in correct.values()}) > 1:
        raise ValueError("the variants were not scored on the same pictures")
    pairs = []
    for pair in combinations(correct, 2):
        first, second = sorted(pair, key=lambda variant: -correct[variant].mean())
        one, other = correct[first], correct[second].reindex(correct[first].index)
        better, worse = int((one & ~other).sum()), int((~one & other).sum())
        p = float(mcnemar([[0, better], [worse, 0]], exact=True).pvalue)  # pairs that agree play no part
        accuracy = (better - worse) / len(one)
        pairs.append(Difference(first=first, second=second, accuracy=accuracy, better=better, worse=worse, p=p))
    return _corrected(pairs)


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
