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
    assert honest.expected_calibration_error < 0.03 and honest.fitted_temperature == pytest.approx(1, abs=0.1)
    assert confident.expected_calibration_error > 0.1 and confident.fitted_temperature == pytest.approx(3, abs=0.3)
    assert confident.temperature == confident.fitted_temperature and confident.not_applied is None
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
    assert scores.fitted_temperature is None and scores.with_temperature is None and scores.loss < 0.2
    assert scores.temperature == 1 and scores.not_applied is not None and "one picture" in scores.not_applied


def test_a_temperature_that_does_not_help_other_pictures_is_not_applied() -> None:
    for seed in range(20):
        truth, probabilities = drawn(40, seed)  # they mean what they say: a temperature can only fit their chance
        scores = calibration(truth, probabilities, seed=0)
        assert scores.with_temperature is not None and scores.fitted_temperature != 1
        applied = scores.with_temperature.loss < scores.loss
        assert scores.temperature == (scores.fitted_temperature if applied else 1)
        assert applied == (scores.not_applied is None)


def test_no_temperature_is_applied_without_an_error_or_at_the_bound_of_the_fit() -> None:
    truth = np.arange(40) % 2
    perfect = np.where(truth[:, None] == np.arange(2), 0.7, 0.3)
    scores = calibration(truth, perfect, seed=0)
    assert scores.fitted_temperature == pytest.approx(np.exp(-3), rel=0.01) and scores.temperature == 1
    assert scores.not_applied is not None and "without an error" in scores.not_applied
    reversed_ = perfect[:, ::-1]  # always wrong: the higher the temperature, the better
    scores = calibration(truth, reversed_, seed=0)
    assert scores.fitted_temperature == pytest.approx(np.exp(3), rel=0.01) and scores.temperature == 1
    assert scores.not_applied is not None and "highest temperature" in scores.not_applied


@pytest.mark.parametrize("classes", [2, 3])
def test_the_brier_score_is_the_sum_over_the_classes(classes: int) -> None:
    """Brier's own definition, for two classes too: 2 where the opposite of the truth is held for certain."""
    truth = np.arange(6) % classes
    certain = np.eye(classes)[truth]
    assert calibration(truth, certain, seed=0).brier_score == 0
    assert calibration(truth, np.roll(certain, 1, axis=1), seed=0).brier_score == pytest.approx(2)
    even = calibration(truth, np.full((6, classes), 1 / classes), seed=0).brier_score
    assert even == pytest.approx((1 - 1 / classes) ** 2 + (classes - 1) / classes**2)
