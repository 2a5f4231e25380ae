"""Corrupted face crops (Hendrycks and Dietterich, 2019): covered, dark, blurred, compressed, coarse, turned.

Every picture draws its own position, sign and noise from (seed, kind, its row); position and sign are the same at
every strength. Of the five strengths 1 is barely visible, and 5 hides much of the face.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
STREAM = 4  # of the seed's random numbers
GREY = 110
MASK_COLOUR = (158, 188, 205)  # of a surgical mask, RGB
EYES, EYE_BAND = 0.38, 0.24  # height of the eyes in a crop from above, and of the band over them, shares of the side
WHITE_ELECTRONS = 4000  # of a pixel at full exposure, as in a small phone sensor
READ_NOISE = 4  # electrons
GAMMA = 2.2


def block(picture: Picture, amount: float, random: np.random.Generator) -> Picture:
    """A grey square, `amount` of the side wide, anywhere."""
    side = len(picture)
    wide = round(amount * side)
    top, left = (random.random(2) * (side - wide + 1)).astype(int)
    covered = picture.copy()
    covered[top : top + wide, left : left + wide] = GREY
    return covered


def mask(picture: Picture, amount: float, random: np.random.Generator) -> Picture:
    """A surgical mask over the lowest `amount` of the crop: first the chin, then the mouth, then the nose."""
    side = len(picture)
    top = round((1 - amount) * side)
    bend = round(0.06 * side)
    outline = [(0.12 * side, top + bend), (0.5 * side, top), (0.88 * side, top + bend), (0.8 * side, side)]
    covered = picture.copy()
    cv2.fillPoly(covered, [np.array([*outline, (0.2 * side, side)], dtype=np.int32)], MASK_COLOUR)
    return covered


def eye_band(picture: Picture, amount: float, random: np.random.Generator) -> Picture:
    """A dark band over the eyes that lets through all but `amount` of the light; 1 is black."""
    side = len(picture)
    top, end = (round((EYES + part * EYE_BAND / 2) * side) for part in (-1, 1))
    covered = picture.copy()
    covered[top:end] = (covered[top:end] * (1 - amount)).round().astype(np.uint8)
    return covered


def low_light(picture: Picture, amount: float, random: np.random.Generator) -> Picture:
    """The light of the scene times `amount`, with the photons' and the sensor's noise."""
    electrons = WHITE_ELECTRONS * amount * (picture / 255) ** GAMMA
    measured = random.poisson(electrons) + random.normal(0, READ_NOISE, picture.shape)
    return np.asarray(255 * (measured / WHITE_ELECTRONS).clip(0, 1) ** (1 / GAMMA)).round().astype(np.uint8)


def blur(picture: Picture, amount: float, random: np.random.Generator) -> Picture:
    """A Gaussian whose standard deviation is `amount` of the side."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), amount * len(picture)), dtype=np.uint8)


def jpeg(picture: Picture, amount: float, random: np.random.Generator) -> Picture:
    """Compressed at quality `amount`, 1 to 100."""
    _, coded = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, int(amount)])
    decoded = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    assert decoded is not None
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def low_resolution(picture: Picture, amount: float, random: np.random.Generator) -> Picture:
    """Shrunk to `amount` of the side and enlarged again."""
    side = len(picture)
    small = max(2, round(amount * side))
    shrunk = cv2.resize(picture, (small, small), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(shrunk, (side, side), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def rotation(picture: Picture, amount: float, random: np.random.Generator) -> Picture:
    """Turned by `amount` degrees, to the left or to the right; the border pixels are repeated outwards."""
    side = len(picture)
    sign = 1 if random.random() < 0.5 else -1
    turn = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), sign * amount, 1)
    return np.asarray(cv2.warpAffine(picture, turn, (side, side), borderMode=cv2.BORDER_REPLICATE), dtype=np.uint8)


# The function of each kind, and its amount at strengths 1 to 5.
KINDS: dict[str, tuple[Callable[[Picture, float, np.random.Generator], Picture], tuple[float, ...]]] = {
    "block": (block, (0.06, 0.18, 0.3, 0.42, 0.55)),
    "mask": (mask, (0.06, 0.2, 0.33, 0.46, 0.6)),
    "eye_band": (eye_band, (0.1, 0.35, 0.6, 0.85, 1.0)),
    "low_light": (low_light, (0.9, 0.4, 0.15, 0.05, 0.015)),
    "blur": (blur, (0.006, 0.014, 0.024, 0.04, 0.06)),
    "jpeg": (jpeg, (92, 50, 20, 10, 4)),
    "low_resolution": (low_resolution, (0.9, 0.6, 0.4, 0.25, 0.14)),
    "rotation": (rotation, (2, 10, 20, 32, 45)),
}


def corrupt(pictures: NDArray[np.uint8], kind: str, strength: int, seed: int) -> NDArray[np.uint8]:
    """The crops (N, H, W, 3) in RGB with one of `KINDS` applied at a strength of 1 to 5."""
    change, amounts = KINDS[kind]
    stream = [seed, STREAM, list(KINDS).index(kind)]
    randoms = (np.random.default_rng([*stream, row]) for row in range(len(pictures)))
    return np.stack(
        [change(picture, amounts[strength - 1], random) for picture, random in zip(pictures, randoms, strict=True)]
    )
