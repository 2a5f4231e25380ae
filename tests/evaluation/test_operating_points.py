import numpy as np
import pytest

from facestudy.evaluation.intervals import wilson
from facestudy.evaluation.operating_points import operating_points, true_accepts


def test_true_accepts_at_rates_that_the_pictures_allow() -> None:
    is_target = np.arange(500) < 100
    # Targets at 0.005, 0.015 ... 0.995; others at 0, 0.0025 ... 0.9975: the four most probable of them from 0.99 on.
    probabilities = np.where(is_target, (np.arange(500) % 100 + 0.5) / 100, (np.arange(500) - 100) / 400)
    one_percent, one_in_a_thousand = true_accepts(is_target, probabilities, np.arange(500))
    assert (one_percent.false_accepts, one_in_a_thousand.false_accepts) == (4, 0)
    assert one_percent.true_accept_rate == 0.01 and one_percent.threshold == pytest.approx(0.99)
    assert one_in_a_thousand.true_accept_rate == 0
    assert one_in_a_thousand.false_accept_interval == pytest.approx(wilson(0, 400))
    stricter, _ = true_accepts(is_target, np.where(is_target, probabilities + 0.5, probabilities), np.arange(500))
    assert stricter.true_accept_rate == pytest.approx((probabilities[is_target] + 0.5 > 0.9875).mean())


def test_where_the_most_probable_is_somebody_else_nobody_is_accepted() -> None:
    is_target, probabilities = np.array([False, True, False]), np.array([0.9, 0.8, 0.1])
    points = true_accepts(is_target, probabilities, np.arange(3))
    assert [point.true_accept_rate for point in points] == [0, 0]
    assert [point.threshold for point in points] == [None, None]


def test_false_accepts_of_one_person_say_less_than_those_of_several() -> None:
    is_target = np.arange(300) < 100
    probabilities = np.where(is_target | (np.arange(300) >= 298), 0.9, 0.1)  # two others are taken for the target
    people = np.where(is_target, np.arange(300), 100 + np.arange(300) // 10)
    single, together = (true_accepts(is_target, probabilities, groups)[0] for groups in (np.arange(300), people))
    assert single.false_accepts == together.false_accepts == 2
    assert together.false_accept_interval[1] > 1.2 * single.false_accept_interval[1]
    assert together.true_accept_interval == single.true_accept_interval


def test_points_run_from_nobody_to_everybody() -> None:
    points = operating_points(np.array([True, False, True, False]), np.array([0.9, 0.8, 0.3, 0.2]))
    assert points.iloc[0, 1:].tolist() == [0, 0] and points.iloc[-1, 1:].tolist() == [1, 1]
