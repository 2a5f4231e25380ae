"""A face, or the whole picture, as a square of fixed size."""

import math

import cv2
import numpy as np

from facestudy.faces.face import Face, Picture, Point


def face(picture: Picture, box: Face, margin: float, size: int) -> Picture:
    """The square around a face, uint8 (size, size, 3), with a margin on each side as a share of the box.

    Turned so that the eyes are level where the angle is known, as it stands otherwise. The box sets the size, not the
    distance of the eyes, which shrinks as a head turns away. Outside the picture its edge pixels are repeated.
    """
    side = max(box.width, box.height) * (1 + 2 * margin)
    if box.angle is None:
        return _square(picture, box.centre, side, size)
    return _turned(picture, box.centre, side, math.radians(box.angle), size)


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
    # The part that the square can touch, however it is turned; all pairs are (x, y).
    reach, lengths = math.ceil(side / math.sqrt(2)) + 1, np.array(picture.shape[1::-1])
    first = np.clip(np.floor(centre).astype(int) - reach, 0, lengths - 1)
    last = np.clip(np.floor(centre).astype(int) + reach, first + 1, lengths)
    part, pixels = picture[first[1] : last[1], first[0] : last[0]], last - first
    # Warping samples single points of a picture; it must not be the step that shrinks.
    shrunk = np.maximum(1, np.round(pixels * min(size / side, 1))).astype(int)
    if side > size:
        part = np.asarray(cv2.resize(part, shrunk.tolist(), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    turn *= size / side * pixels / shrunk
    point = (centre - first) * shrunk / pixels - 0.5  # pixel (0, 0) has its middle at (0.5, 0.5) of the boxes' units
    matrix = np.column_stack([turn, (size - 1) / 2 - turn @ point])
    turned = cv2.warpAffine(part, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(turned, dtype=np.uint8)
