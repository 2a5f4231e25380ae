import numpy as np
import pytest
from scipy.special import softmax

from facestudy.contracts.scores import Calibration
from facestudy.evaluation.calibration import BINS, calibration, reliability, scaled, temperature


def drawn(pictures: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that mean what they say: each truth is drawn from its own."""
    random = np.random.default_rng(seed)
    probabilities = softmax(random.normal(size=(pictures, 3)) * 2, axis=1)
    return np.array([random.choice(3, p=row) for row in probabilities]), probabilities


def test_true_probabilities_are_calibrated_and_sharpened_ones_are_not() -> None:
    truth, probabilities = drawn(4000)
    honest, confident = (calibration(truth, scaled(probabilities, by), seed=0) for by in (1, 1 / 3))
    assert honest.expected_calibration_error < 0.03 and honest.temperature == pytest.approx(1, abs=0.1)
    assert confident.expected_calibration_error > 0.1 and confident.temperature == pytest.approx(3, abs=0.3)
    corrected = confident.with_temperature
    assert corrected is not None
    assert corrected.expected_calibration_error < 0.03 and corrected.loss < confident.loss
    assert corrected.brier_score < confident.brier_score
    assert Calibration.model_validate_json(confident.model_dump_json()) == confident


def test_no_picture_is_scored_with_a_temperature_fitted_on_it() -> None:
    truth, probabilities = drawn(60)
    held_out = calibration(truth, probabilities, seed=0).with_temperature
    fitted = scaled(probabilities, temperature(truth, probabilities))
    assert held_out is not None and held_out.loss > -np.log(fitted[np.arange(60), truth]).mean()


def test_bins_hold_every_picture() -> None:
    truth = np.array([0, 0, 1, 1])
    bins = reliability(truth, np.array([[1.0, 0.0], [0.92, 0.08], [0.95, 0.05], [0.45, 0.55]]))
    assert bins.shape == (BINS, 3)
    assert bins[9].tolist() == pytest.approx([3, (1 + 0.92 + 0.95) / 3, 2 / 3])
    assert bins[5].tolist() == pytest.approx([1, 0.55, 1]) and bins[:, 0].sum() == 4


def test_a_class_of_one_picture_leaves_no_temperature() -> None:
    scores = calibration(np.array([0, 0, 1]), np.array([[0.9, 0.1], [0.8, 0.2], [0.0, 1.0]]), seed=0)
    assert scores.temperature is None and scores.with_temperature is None and scores.loss < 0.2
