import math

import numpy as np
import pytest
from scipy.special import expit
from sklearn import metrics

from facestudy.evaluation import intervals

DRAWS, PICTURES, TARGETS = 200, 216, 43


def test_wilson_intervals() -> None:
    # 216 pictures, 211 right; by the formula (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n), z = 1.95996
    share, trials, z = 211 / 216, 216, 1.959964
    half = z * math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    ends = [(share + z**2 / (2 * trials) + sign * half) / (1 + z**2 / trials) for sign in (-1, 1)]
    assert intervals.wilson(211, 216) == pytest.approx(ends, abs=1e-6)
    assert intervals.wilson(0, 10)[0] == 0 and intervals.wilson(10, 10)[1] == 1


def test_weights_count_pictures() -> None:
    random = np.random.default_rng(0)
    truth, predicted, probability = (
        random.integers(0, 3, 50),
        random.integers(0, 3, 50),
        random.random((50, 3)).round(1),
    )
    weights = random.integers(0, 4, (2, 50)).astype(float)
    is_class = truth[:, None] == np.arange(3)
    f1 = intervals.macro_f1(truth, predicted, 3)(weights)
    balanced = intervals.balanced_accuracy(truth, predicted)(weights)
    area = intervals.roc_auc(is_class, probability)(weights)
    for row, counts in enumerate(weights.astype(int)):
        again = np.repeat(np.arange(50), counts)
        assert f1[row] == pytest.approx(metrics.f1_score(truth[again], predicted[again], average="macro"))
        assert balanced[row] == pytest.approx(metrics.balanced_accuracy_score(truth[again], predicted[again]))
        assert area[row] == pytest.approx(metrics.roc_auc_score(is_class[again], probability[again], average="macro"))


def test_f1_of_a_class_lies_in_its_interval_and_a_class_that_is_not_there_has_none() -> None:
    low, high = intervals.f1_interval(38, 3, 5) or (1.0, 0.0)
    assert 0 < low < 2 * 38 / (2 * 38 + 3 + 5) < high < 1
    assert intervals.f1_interval(0, 0, 0) is None


def test_a_score_without_errors_has_too_few_to_say() -> None:
    truth = np.array([0, 1] * 20)
    score = intervals.macro_f1(truth, truth, 2)
    assert intervals.resampled(score, np.arange(40), seed=0) is None


def test_pictures_of_few_people_say_less() -> None:
    random = np.random.default_rng(1)
    people = np.repeat(np.arange(20), 10)
    correct = np.repeat(random.random(20) < 0.8, 10)  # of a person all pictures or none
    truth = np.tile([0, 1], 100)
    score = intervals.balanced_accuracy(truth, np.where(correct, truth, 1 - truth))
    single, together = (intervals.resampled(score, groups, 0) for groups in (np.arange(200), people))
    assert single is not None and together is not None
    assert together[1] - together[0] > 2 * (single[1] - single[0])


@pytest.mark.parametrize("share", [0.8, 0.9, 0.95, 0.99])
def test_wilson_covers(share: float) -> None:
    hits = np.random.default_rng(2).binomial(PICTURES, share, 2000)
    ends = np.array([intervals.wilson(number, PICTURES) for number in np.unique(hits)])
    inside = {number: low <= share <= high for number, (low, high) in zip(np.unique(hits), ends, strict=True)}
    assert 0.92 <= np.mean([inside[number] for number in hits]) <= 0.99


def test_the_interval_of_an_area_covers() -> None:
    distance, random, inside = math.sqrt(2) * 1.2815516, np.random.default_rng(3), 0  # an area of 0.9
    is_target = np.arange(PICTURES)[:, None] < TARGETS
    for seed in range(DRAWS):
        probability = expit(random.normal(size=(PICTURES, 1)) + distance * is_target)
        low, high = intervals.resampled(intervals.roc_auc(is_target, probability), np.arange(PICTURES), seed) or (
            0.0,
            1.0,
        )
        inside += low <= 0.9 <= high
    assert 0.90 <= inside / DRAWS <= 1  # of 200 draws; docs/method.md has 2,000
