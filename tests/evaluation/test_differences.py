import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, permutation_test, t, ttest_rel
from statsmodels.stats.contingency_tables import mcnemar

from facestudy.evaluation.differences import differences, seed_differences, sign_flip


def table(incorrect: range, pictures: int = 200, of_a_person: int = 1) -> pd.DataFrame:
    """Predictions that are wrong on the named pictures, so many of them of a person."""
    truth = pd.DataFrame({"file": [f"{number}.png" for number in range(pictures)], "truth": "a"})
    truth["person_group"] = np.arange(pictures) // of_a_person
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


def test_pictures_of_one_person_count_once() -> None:
    right, wrong = range(0), range(20)  # 20 errors on 4 people: one in eight of the choices of signs is so far from 0
    (single,) = differences({"one": table(right), "two": table(wrong)})
    (together,) = differences({"one": table(right, of_a_person=5), "two": table(wrong, of_a_person=5)[::-1]})
    assert not single.by_person and single.p < 1e-5
    assert together.by_person and together.p == pytest.approx(1 / 8)
    assert (together.better, together.worse, together.accuracy) == (20, 0, 0.1)


def test_the_test_is_mcnemars_where_every_picture_is_of_another_person() -> None:
    for better, worse in ((0, 0), (1, 0), (7, 7), (20, 4), (3, 900)):
        expected = mcnemar([[0, better], [worse, 0]], exact=True).pvalue
        assert sign_flip(np.repeat([1, 0, -1], [better, 50, worse])) == pytest.approx(expected, rel=1e-9)


def test_signs_of_persons_are_flipped_in_every_way() -> None:
    sums = np.array([5, -2, 3, 0, 3, -1, 4, 1, 1])
    every = permutation_test((sums,), np.sum, permutation_type="samples", n_resamples=np.inf)
    assert sign_flip(sums) == pytest.approx(every.pvalue)


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
