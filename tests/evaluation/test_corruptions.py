import numpy as np
import pytest
from PIL import Image

from facestudy.contracts.corruptions import OCCLUSIONS, TITLES
from facestudy.evaluation.corruptions import KINDS, corrupt


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    """Smooth noise in the size of packed crops."""
    coarse = np.random.default_rng(0).integers(40, 220, (6, 20, 20, 3), dtype=np.uint8)
    return np.stack(
        [np.asarray(Image.fromarray(pixels).resize((64, 64), Image.Resampling.BICUBIC)) for pixels in coarse]
    )


def change(crops: np.ndarray, kind: str, strength: int) -> float:
    return float(np.abs(corrupt(crops, kind, strength, 0).astype(int) - crops).mean())


@pytest.mark.parametrize("kind", KINDS)
def test_each_strength_changes_more_than_the_one_before(kind: str, crops: np.ndarray) -> None:
    changes = [change(crops, kind, strength) for strength in range(1, 6)]
    assert changes == sorted(changes) and 0 < changes[0] < 0.5 * changes[-1]


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_depends_on_the_seed_and_its_row_alone(kind: str, crops: np.ndarray) -> None:
    before = crops.copy()
    whole = corrupt(crops, kind, 3, 7)
    assert whole.shape == crops.shape and whole.dtype == np.uint8
    assert np.array_equal(whole, corrupt(crops, kind, 3, 7))
    assert np.array_equal(whole[:2], corrupt(crops[:2], kind, 3, 7))
    assert np.array_equal(crops, before)


@pytest.mark.parametrize("kind", ["block", "low_light", "rotation"])
def test_what_is_drawn_turns_with_the_seed(kind: str, crops: np.ndarray) -> None:
    assert not np.array_equal(corrupt(crops, kind, 3, 0), corrupt(crops, kind, 3, 1))


def test_every_kind_has_a_title() -> None:
    assert list(TITLES) == list(KINDS) and set(OCCLUSIONS) <= set(KINDS)
