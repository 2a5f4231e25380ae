"""A face, or the whole picture, as a square of fixed size."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from facestudy.faces.detection import Face, Point

Picture = NDArray[np.uint8]


def face(picture: Picture, box: Face, margin: float, size: int) -> Picture:
    """The square around a face, uint8 (size, size, 3), with a margin on each side as a share of the box.

    Turned so that the eyes are level where they are known, upright otherwise. The box sets the size, not the
    distance of the eyes, which shrinks as a head turns away. Outside the picture its edge pixels are repeated.
    """
    side = max(box.width, box.height) * (1 + 2 * margin)
    if box.eyes is None:
        return _square(picture, box.centre, side, size)
    (left_x, left_y), (right_x, right_y) = box.eyes
    return _turned(picture, box.centre, side, math.atan2(right_y - left_y, right_x - left_x), size)


def whole(picture: Picture, size: int) -> Picture:
    """The whole picture, uint8 (size, size, 3), centred in a square that its edge pixels fill up.

    Nothing is cut away and nothing stretched: where no face was found, nobody knows which part holds it.
    """
    height, width = picture.shape[:2]
    return _square(picture, (width / 2, height / 2), max(height, width), size)


def _square(picture: Picture, centre: Point, side: float, size: int) -> Picture:
    """Only the part within the picture is resized, then padded: no square, however large, needs memory."""
    pixels = max(1, round(side))
    columns, left, width = _span(centre[0], pixels, picture.shape[1], size)
    rows, top, height = _span(centre[1], pixels, picture.shape[0], size)
    method = cv2.INTER_AREA if pixels > size else cv2.INTER_CUBIC
    part = cv2.resize(picture[rows, columns], (width, height), interpolation=method)
    right, bottom = size - left - width, size - top - height
    square = cv2.copyMakeBorder(part, top, bottom, left, right, cv2.BORDER_REPLICATE)
    return np.asarray(square, dtype=np.uint8)


def _span(centre: float, pixels: int, length: int, size: int) -> tuple[slice, int, int]:
    """Along one axis: the picture's pixels within the square, and their offset and length in the resized square."""
    start = round(centre - pixels / 2)
    first = min(max(start, 0), length - 1)
    last = max(min(start + pixels, length), first + 1)
    begin = min(max(round((first - start) * size / pixels), 0), size - 1)
    end = min(max(round((last - start) * size / pixels), begin + 1), size)
    return slice(first, last), begin, end - begin


def _turned(picture: Picture, centre: Point, side: float, angle: float, size: int) -> Picture:
    """The square of this side around a point, turned against the angle (radians), by a similarity transform."""
    scale = size / side
    if scale < 1:  # warping samples single points of the picture; it must not be the step that shrinks
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
