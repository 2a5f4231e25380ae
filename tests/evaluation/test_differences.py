import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, t, ttest_rel

from facestudy.evaluation.differences import differences, seed_differences


def table(incorrect: range, pictures: int = 200) -> pd.DataFrame:
    """Predictions that are wrong on the named pictures."""
    truth = pd.DataFrame({"file": [f"{number}.png" for number in range(pictures)], "truth": "a"})
    return truth.assign(prediction=np.where(np.isin(np.arange(pictures), list(incorrect)), "b", "a"))


def test_pairs_are_counted_tested_and_corrected() -> None:
    tables = {"some": table(range(10, 30)), "most": table(range(0, 40)), "few": table(range(0, 4))}
    pairs = {(pair.first, pair.second): pair for pair in differences({**tables, "few": tables["few"][::-1]})}
    assert set(pairs) == {("some", "most"), ("few", "some"), ("few", "most")}
    pair = pairs["few", "some"]
    assert (pair.better, pair.worse, pair.accuracy) == (20, 4, 16 / 200)
    plain = {names: binomtest(each.better, each.better + each.worse).pvalue for names, each in pairs.items()}
    # Holm: the least p times 3, the next times 2, the last as it is.
    for factor, names in zip((3, 2, 1), sorted(plain, key=lambda names: plain[names]), strict=True):
        assert pairs[names].p == pytest.approx(min(1, factor * plain[names]))


def test_the_same_predictions_are_no_difference() -> None:
    (pair,) = differences({"one": table(range(3)), "two": table(range(3))})
    assert (pair.better, pair.worse, pair.accuracy, pair.p) == (0, 0, 0, 1)
    assert differences({"one": table(range(3))}) == []


def test_other_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match="same pictures"):
        differences({"one": table(range(3)), "two": table(range(3), pictures=100)})


def test_differences_over_folds_count_less() -> None:
    accuracies = {"one": [0.90, 0.80, 0.85, 0.88, 0.84], "two": [0.93, 0.84, 0.88, 0.90, 0.88]}
    (plain,), (folded,) = seed_differences(accuracies), seed_differences(accuracies, folds=5)
    assert plain.p == pytest.approx(ttest_rel(*accuracies.values()).pvalue)
    # Nadeau and Bengio: n = 5 trainings, each tested on a quarter of what it trains on.
    paired = np.diff(list(accuracies.values()), axis=0)[0]
    statistic = paired.mean() / np.sqrt((1 / 5 + 1 / 4) * paired.var(ddof=1))
    assert folded.p == pytest.approx(2 * t.sf(statistic, 4)) and folded.p > 2 * plain.p


def test_differences_over_seeds_are_paired() -> None:
    (pair,) = seed_differences({"one": [0.90, 0.80, 0.85], "two": [0.93, 0.84, 0.88]})
    assert (pair.first, pair.second, pair.seeds) == ("two", "one", 3)
    assert pair.mean == pytest.approx(0.1 / 3) and pair.deviation == pytest.approx(np.std([3, 4, 3], ddof=1) / 100)
    assert pair.p < 0.05  # the variants' own spread, far wider, plays no part
    same, always = (seed_differences({"one": [0.9, 0.8], "two": two})[0].p for two in ([0.9, 0.8], [0.5, 0.4]))
    assert same == 1 and always == pytest.approx(0.5)
    (pair,) = seed_differences({"one": [210 / 216, 208 / 216], "two": [205 / 216, 203 / 216]})
    assert pair.p == pytest.approx(0.5)  # the same five pictures, but for rounding
