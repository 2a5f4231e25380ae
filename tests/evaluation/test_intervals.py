import math

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import t
from sklearn import metrics

from facestudy.evaluation import intervals

DRAWS, PICTURES, TARGETS = 200, 216, 43


def test_wilson_intervals() -> None:
    # 216 pictures, 211 right; by the formula (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n), z = 1.95996
    share, trials, z = 211 / 216, 216, 1.959964
    half = z * math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    ends = [(share + z**2 / (2 * trials) + sign * half) / (1 + z**2 / trials) for sign in (-1, 1)]
    assert intervals.wilson(211, 216) == pytest.approx(ends, abs=1e-6)
    assert intervals.wilson(0, 10)[0] == pytest.approx(0) and intervals.wilson(10, 10)[1] == pytest.approx(1)


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
    area = intervals.roc_auc(is_class, probability)(weights)
    for row, counts in enumerate(weights.astype(int)):
        again = np.repeat(np.arange(50), counts)
        assert f1[row] == pytest.approx(metrics.f1_score(truth[again], predicted[again], average="macro"))
        assert area[row] == pytest.approx(metrics.roc_auc_score(is_class[again], probability[again], average="macro"))


def test_f1_of_a_class_lies_in_its_interval_and_a_class_that_is_not_there_has_none() -> None:
    is_class, is_predicted = np.repeat([True, True, False], [38, 5, 3]), np.repeat([True, False, True], [38, 5, 3])
    low, high = intervals.f1_interval(is_class, is_predicted, np.arange(46)) or (1.0, 0.0)
    assert 0 < low < 2 * 38 / (2 * 38 + 3 + 5) < high < 1
    ends = intervals.wilson(38, 46)
    assert (low, high) == pytest.approx([2 * end / (1 + end) for end in ends])
    assert intervals.f1_interval(np.zeros(9, dtype=bool), np.zeros(9, dtype=bool), np.arange(9)) is None


def test_a_score_without_errors_has_too_few_to_say() -> None:
    truth = np.array([0, 1] * 20)
    score = intervals.macro_f1(truth, truth, 2)
    assert intervals.resampled(score, np.arange(40), seed=0) is None


PEOPLE = np.repeat(np.arange(20), 10)


def all_or_none() -> tuple[np.ndarray, np.ndarray]:
    """Classes of 200 pictures, and whether each is predicted correctly: of a person all are, or none is."""
    return np.tile([0, 1], 100), np.repeat(np.random.default_rng(1).random(20) < 0.8, 10)


def width(interval: tuple[float, float] | None) -> float:
    assert interval is not None and 0 <= interval[0] < interval[1] <= 1
    return interval[1] - interval[0]


def test_pictures_of_few_people_say_less() -> None:
    truth, correct = all_or_none()
    predicted = np.where(correct, truth, 1 - truth)
    f1 = intervals.macro_f1(truth, predicted, 2)
    single, together = (
        [
            width(intervals.share(correct, groups)),
            width(intervals.mean_share(correct, truth, groups)),
            width(intervals.f1_interval(truth == 1, predicted == 1, groups)),
            width(intervals.resampled(f1, groups, 0)),
        ]
        for groups in (np.arange(200), PEOPLE)
    )
    assert (np.array(together) > 2 * np.array(single)).all()


def test_the_interval_of_a_share_is_wilsons_of_the_people_where_theirs_are_all_alike() -> None:
    _, correct = all_or_none()
    people = int(correct[::10].sum())
    low, high = intervals.share(correct, PEOPLE)
    # But that the spread between 20 people is itself known badly, which Student's distribution allows for.
    wider, factor = intervals.wilson(people, 20), t.ppf(0.975, 19) / t.ppf(0.975, 199)
    assert high - low == pytest.approx((wider[1] - wider[0]) * factor, rel=0.02) and low < wider[0]
    assert intervals.share(correct, np.arange(200)) == pytest.approx(intervals.wilson(10 * people, 200))
    assert intervals.share(correct, np.zeros(200, dtype=int)) == pytest.approx(intervals.wilson(people / 20, 1))


@pytest.mark.parametrize("right", [[True, False], [True, True], [False, False]])
def test_balanced_accuracy_has_an_interval_where_nothing_varies(right: list[bool]) -> None:
    truth = np.repeat([0, 1], [173, 43])
    correct = np.repeat(right, [173, 43])  # as of a model that accepts nobody, everybody, or errs always
    low, high = intervals.mean_share(correct, truth, np.arange(216))
    assert low <= np.mean(right) <= high and 0.01 < high - low < 0.1


def test_balanced_accuracy_of_even_classes_has_the_interval_of_accuracy_and_of_a_rare_class_a_wider_one() -> None:
    correct = np.arange(200) % 10 > 0
    accuracy = intervals.wilson(180, 200)
    assert intervals.mean_share(correct, np.arange(200) // 100, np.arange(200)) == pytest.approx(accuracy)
    rare = intervals.mean_share(correct, (np.arange(200) < 10).astype(int), np.arange(200))
    assert width(rare) > 2 * width(accuracy)


@pytest.mark.parametrize("recalls", [[0.95, 0.8], [0.98, 0.95], [0.9, 0.9]])
def test_the_interval_of_balanced_accuracy_covers(recalls: list[float]) -> None:
    random, truth, inside = np.random.default_rng(5), (np.arange(PICTURES) < TARGETS).astype(int), 0
    value = sum(recalls) / 2
    for _ in range(500):
        correct = random.random(PICTURES) < np.array(recalls)[truth]
        low, high = intervals.mean_share(correct, truth, np.arange(PICTURES))
        inside += low <= value <= high
    assert 0.92 <= inside / 500 <= 0.99


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


def test_intervals_by_person_cover_where_those_by_picture_do_not() -> None:
    """50 people of whom 1 to 8 pictures are there; each has his or her own share, 0.9 in the mean."""
    random = np.random.default_rng(4)
    inside = np.zeros(2)
    for _ in range(500):
        people = np.repeat(np.arange(50), random.integers(1, 9, 50))
        correct = random.random(len(people)) < random.beta(0.9 * 1.5, 0.1 * 1.5, 50)[people]
        for column, groups in enumerate((people, np.arange(len(people)))):
            low, high = intervals.share(correct, groups)
            inside[column] += low <= 0.9 <= high
    by_person, by_picture = inside / 500
    assert by_person >= 0.92 and by_picture <= 0.88
