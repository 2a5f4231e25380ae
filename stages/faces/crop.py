"""A face, or the whole picture, as a square of fixed size."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.faces.detect import Face

Picture = NDArray[np.uint8]


def face(picture: Picture, found: Face, margin: float, size: int) -> Picture:
    """The square around a face, uint8 (size, size, 3), with a margin on each side as a share of the box.

    Turned so that the eyes are level where they are known, upright otherwise. The box sets the
    size, not the distance of the eyes, which shrinks as a head turns away. Where the square leaves
    the picture, the picture's edge pixels go on.
    """
    side = max(found.width, found.height) * (1 + 2 * margin)
    if found.eyes is not None:
        return _turned(picture, found.centre, side, _tilt(found.eyes), size)
    return _square(picture, found.centre, side, size)


def whole(picture: Picture, size: int) -> Picture:
    """The whole picture, uint8 (size, size, 3), centred in a square that its edge pixels fill up.

    Nothing is cut away and nothing stretched: where no face was found, nobody knows which part holds it.
    """
    height, width = picture.shape[:2]
    return _square(picture, (width / 2, height / 2), max(height, width), size)


def _square(picture: Picture, centre: tuple[float, float], side: float, size: int) -> Picture:
    """Only the part within the picture is resized, then filled up: no square, however large, takes memory."""
    pixels = max(1, round(side))
    columns, (left, across) = _span(centre[0], pixels, picture.shape[1], size)
    rows, (top, down) = _span(centre[1], pixels, picture.shape[0], size)
    method = cv2.INTER_AREA if pixels > size else cv2.INTER_CUBIC
    part = cv2.resize(picture[rows, columns], (across, down), interpolation=method)
    right, bottom = size - left - across, size - top - down
    square = cv2.copyMakeBorder(part, top, bottom, left, right, cv2.BORDER_REPLICATE)
    return np.asarray(square, dtype=np.uint8)


def _span(centre: float, pixels: int, length: int, size: int) -> tuple[slice, tuple[int, int]]:
    """Along one axis: the pixels of the picture within the square, and where they begin and how many they become."""
    start = round(centre - pixels / 2)
    first = min(max(start, 0), length - 1)
    last = max(min(start + pixels, length), first + 1)
    begin = min(max(round((first - start) * size / pixels), 0), size - 1)
    end = min(max(round((last - start) * size / pixels), begin + 1), size)
    return slice(first, last), (begin, end - begin)


def _tilt(eyes: tuple[tuple[float, float], tuple[float, float]]) -> float:
    (left_x, left_y), (right_x, right_y) = eyes
    return math.atan2(right_y - left_y, right_x - left_x)


def _turned(picture: Picture, centre: tuple[float, float], side: float, angle: float, size: int) -> Picture:
    """The square of this side around a point, turned against the angle (radians), by a similarity transform."""
    scale = size / side
    if scale < 1:  # warping takes single points of the picture; it must not be the step that shrinks
        height, width = (max(1, round(length * scale)) for length in picture.shape[:2])
        small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        centre = centre[0] * width / picture.shape[1], centre[1] * height / picture.shape[0]
        picture, scale = np.asarray(small, dtype=np.uint8), 1.0
    cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
    # Pixel (0, 0) has its middle at (0.5, 0.5) of the boxes' coordinates.
    x, y, middle = centre[0] - 0.5, centre[1] - 0.5, (size - 1) / 2
    matrix = np.array([[cosine, sine, middle - cosine * x - sine * y], [-sine, cosine, middle + sine * x - cosine * y]])
    turned = cv2.warpAffine(picture, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(turned, dtype=np.uint8)
