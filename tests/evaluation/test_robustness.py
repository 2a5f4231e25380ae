import numpy as np
import pandas as pd
import pytest
from scipy.stats import fisher_exact
from sklearn.metrics import balanced_accuracy_score

from facestudy.contracts import corruptions
from facestudy.evaluation.robustness import by_group, outcome

TRUTH = np.repeat([0, 1], [173, 43])  # others, and the target


def test_an_outcome_has_the_columns_of_the_table_and_the_balanced_accuracy() -> None:
    predicted = np.where(np.arange(216) % 7 == 0, 1 - TRUTH, TRUTH)
    row = outcome(TRUTH, predicted, 1, np.arange(216))
    assert ["kind", "strength", *row] == list(corruptions.COLUMNS)
    assert row["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(TRUTH, predicted))
    assert row["accuracy"] == pytest.approx((predicted == TRUTH).mean())
    assert row["false_positives"] == 25 and row["false_negatives"] == 6


def test_a_model_that_accepts_nobody_is_as_good_as_guessing_with_an_interval() -> None:
    row = outcome(TRUTH, np.zeros(216, dtype=int), 1, np.arange(216))
    low, high = row["balanced_accuracy_low"], row["balanced_accuracy_high"]
    assert row["balanced_accuracy"] == 0.5 and (row["false_positives"], row["false_negatives"]) == (0, 43)
    assert low is not None and high is not None and 0.45 < low < 0.5 < high < 0.55


def test_the_interval_of_an_outcome_takes_people_together() -> None:
    predicted = np.where(np.arange(216) // 5 % 7 == 0, 1 - TRUTH, TRUTH)  # people of five pictures, all right or none
    single, together = (outcome(TRUTH, predicted, 1, groups) for groups in (np.arange(216), np.arange(216) // 5))
    widths = [
        float(row["balanced_accuracy_high"] or 0) - float(row["balanced_accuracy_low"] or 0)
        for row in (single, together)
    ]
    assert widths[1] > 1.5 * widths[0]


def pictures(light: list[str], occlusion: list[str], wrong: list[int]) -> tuple[pd.DataFrame, np.ndarray]:
    """An index, and which of its pictures are classified correctly."""
    return pd.DataFrame({"light": light, "occlusion": occlusion}), ~np.isin(np.arange(len(light)), wrong)


def test_pictures_without_a_found_face_are_a_group_however_few() -> None:
    found = pd.DataFrame({"faces_found": ["none"] * 3 + ["one"] * 20 + ["several"] * 7})
    groups = by_group(found, ~np.isin(np.arange(30), [0, 1, 10]), np.arange(30))
    assert {column: list(values) for column, values in groups.items()} == {"faces_found": ["none"]}
    without = groups["faces_found"]["none"]
    assert (without.pictures, without.accuracy, without.others_accuracy) == (3, 1 / 3, 26 / 27)
    assert without.accuracy_interval[0] < 0.1 and without.accuracy_interval[1] > 0.7  # three pictures say little
    assert without.p == pytest.approx(fisher_exact([[1, 2], [26, 1]]).pvalue)
    assert by_group(found[3:], np.ones(27, dtype=bool), np.arange(27)) == {}


def test_a_group_is_compared_with_the_others_and_the_whole_family_is_corrected() -> None:
    light = ["dim"] * 40 + ["normal"] * 100 + ["harsh"] * 56 + [""] * 4
    occlusion = (["mask", "none"] * 100)[:200]
    table, correct = pictures(light, occlusion, [*range(12), 50, 60, 150, 199])
    groups = by_group(table, correct, np.arange(200))
    assert {column: set(values) for column, values in groups.items()} == {
        "light": {"dim", "normal", "harsh"},
        "occlusion": {"mask", "none"},
    }
    dim = groups["light"]["dim"]
    assert (dim.pictures, dim.accuracy) == (40, 28 / 40)
    assert dim.others_accuracy == 153 / 156  # without the four whose light is not known
    uncorrected = fisher_exact([[28, 12], [153, 3]]).pvalue
    assert dim.p == pytest.approx(5 * uncorrected)  # the least of five by Holm
    assert groups["occlusion"]["mask"].p == groups["occlusion"]["none"].p == 1


def test_a_group_whose_interval_lies_below_the_whole_may_differ_by_chance() -> None:
    light, occlusion = ["dim"] * 30 + ["normal"] * 186, ["mask", "none", "hat", "hand"] * 54
    table, correct = pictures(light, occlusion, [*range(0, 30, 5), *range(30, 216, 15)])
    dim = by_group(table, correct, np.arange(216))["light"]["dim"]
    assert dim.accuracy_interval[1] < correct.mean()  # enough to be called worse, before there was a test
    assert fisher_exact([[24, 6], [173, 13]]).pvalue < 0.05 < dim.p


def test_small_groups_unknown_values_and_absent_columns_are_left_out() -> None:
    table, correct = pictures(["dim"] * 4 + [""] * 10, ["mask"] * 14, [0])
    groups = by_group(table, correct, np.arange(14))
    assert groups["light"] == {} and set(groups["occlusion"]) == {"mask"}
    mask = groups["occlusion"]["mask"]
    assert mask.others_accuracy is None and mask.p == 1
    assert by_group(table[[]], correct, np.arange(14)) == {}


def test_the_interval_of_a_group_takes_people_together() -> None:
    table, correct = pictures(["dim"] * 60 + ["normal"] * 60, ["none"] * 120, list(range(10, 20)))
    single, together = (by_group(table, correct, groups) for groups in (np.arange(120), np.arange(120) // 5))
    (low, high), (lower, higher) = (groups["light"]["dim"].accuracy_interval for groups in (single, together))
    assert lower < low < high < higher
