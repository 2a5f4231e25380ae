import numpy as np
import pytest

from stages.scoring.intervals import wilson
from stages.scoring.operating import operating_points, true_accepts


def test_true_accepts_at_rates_that_the_pictures_allow() -> None:
    own = np.arange(500) < 100
    # Targets at 0.005, 0.015 ... 0.995; others at 0, 0.0025 ... 0.9975: the four surest of them from 0.99 on.
    sure = np.where(own, (np.arange(500) % 100 + 0.5) / 100, (np.arange(500) - 100) / 400)
    one_percent, one_in_a_thousand = true_accepts(own, sure)
    assert (one_percent["false_accepts"], one_in_a_thousand["false_accepts"]) == (4, 0)
    assert one_percent["true_accept_rate"] == 0.01 and one_percent["threshold"] == pytest.approx(0.99)
    assert one_in_a_thousand["true_accept_rate"] == 0
    assert one_in_a_thousand["false_accept_interval"] == wilson(0, 400)
    (stricter, _) = true_accepts(own, np.where(own, sure + 0.5, sure))
    assert stricter["true_accept_rate"] == pytest.approx((sure[own] + 0.5 > 0.9875).mean())


def test_where_the_surest_is_somebody_else_nobody_is_accepted() -> None:
    own, sure = np.array([False, True, False]), np.array([0.9, 0.8, 0.1])
    assert [found["true_accept_rate"] for found in true_accepts(own, sure)] == [0, 0]
    assert [found["threshold"] for found in true_accepts(own, sure)] == [None, None]


def test_points_run_from_nobody_to_everybody() -> None:
    points = operating_points(np.array([True, False, True, False]), np.array([0.9, 0.8, 0.3, 0.2]))
    assert points.iloc[0, 1:].tolist() == [0, 0] and points.iloc[-1, 1:].tolist() == [1, 1]
