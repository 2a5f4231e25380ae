import json

import numpy as np
import pytest
from scipy.special import softmax

from stages.scoring.calibration import BINS, calibration, reliability, scaled, temperature


def drawn(pictures: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that mean what they say: each truth is drawn from its own."""
    random = np.random.default_rng(seed)
    probabilities = softmax(random.normal(size=(pictures, 3)) * 2, axis=1)
    return np.array([random.choice(3, p=row) for row in probabilities]), probabilities


def test_true_probabilities_are_calibrated_and_sharpened_ones_are_not() -> None:
    truth, probabilities = drawn(4000)
    honest, sure = (calibration(truth, scaled(probabilities, by), seed=0) for by in (1, 1 / 3))
    assert honest["expected_calibration_error"] < 0.03 and honest["temperature"] == pytest.approx(1, abs=0.1)
    assert sure["expected_calibration_error"] > 0.1 and sure["temperature"] == pytest.approx(3, abs=0.3)
    mended = sure["with_temperature"]
    assert mended["expected_calibration_error"] < 0.03 and mended["loss"] < sure["loss"]
    assert mended["brier_score"] < sure["brier_score"]
    assert json.loads(json.dumps(sure, allow_nan=False)) == sure


def test_no_picture_has_a_part_in_its_own_temperature() -> None:
    truth, probabilities = drawn(60)
    before = calibration(truth, probabilities, seed=0)["with_temperature"]["loss"]
    fitted = scaled(probabilities, temperature(truth, probabilities))
    assert before > -np.log(fitted[np.arange(60), truth]).mean()


def test_bins_hold_every_picture() -> None:
    truth = np.array([0, 0, 1, 1])
    found = reliability(truth, np.array([[1.0, 0.0], [0.92, 0.08], [0.95, 0.05], [0.45, 0.55]]))
    assert found.shape == (BINS, 3)
    assert found[9].tolist() == pytest.approx([3, (1 + 0.92 + 0.95) / 3, 2 / 3])
    assert found[5].tolist() == pytest.approx([1, 0.55, 1]) and found[:, 0].sum() == 4


def test_a_class_of_one_picture_leaves_no_temperature() -> None:
    found = calibration(np.array([0, 0, 1]), np.array([[0.9, 0.1], [0.8, 0.2], [0.0, 1.0]]), seed=0)
    assert found["temperature"] is None and found["with_temperature"] is None and found["loss"] < 0.2
