"""A face in a picture, and what all detectors have in common."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Point = tuple[float, float]

# What a detector says is rounded to these steps, so that the last digits, in which processors differ, change few crops;
# pixels are those of the picture that is searched, about as many as a crop has.
PIXELS, DEGREES = 1 / 8, 1 / 10
# Landmarks of an upright face as detectors give them, (x, y) around their middle: eyes, nose, corners of the mouth,
# those on the left of the picture first. The mean of drawn faces and photos; only the shape counts.
UPRIGHT = ((-0.18, -0.19), (0.18, -0.19), (0.0, 0.02), (-0.145, 0.18), (0.145, 0.18))
MIN_SIDE_FOR_FINE = 320  # pixels: below it the fine scale shows no new detail, only false faces


@dataclass(frozen=True)
class Face:
    """A box in pixels of the picture, which it may leave, and how far the face is turned clockwise (degrees).

    `angle` is None where the detector does not know it.
    """

    x: float
    y: float
    width: float
    height: float
    angle: float | None = None

    @property
    def centre(self) -> Point:
        """Middle of the box, (x, y) in pixels."""
        return self.x + self.width / 2, self.y + self.height / 2

    def contains(self, point: Point) -> bool:
        """Whether a point, (x, y) in pixels, lies in the box."""
        return self.x <= point[0] < self.x + self.width and self.y <= point[1] < self.y + self.height

    def overlaps(self, other: "Face") -> bool:
        """Whether one of the two boxes has the middle of the other in it, as those of two people do not."""
        return self.contains(other.centre) or other.contains(self.centre)

    def rounded(self, factor: float) -> "Face":
        """The face in steps of `PIXELS` and `DEGREES`, then its box divided by this factor."""
        x, y, width, height = (
            round(value / PIXELS) * PIXELS / factor for value in (self.x, self.y, self.width, self.height)
        )
        return Face(x, y, width, height, None if self.angle is None else round(self.angle / DEGREES) * DEGREES)


class Scale(NamedTuple):
    """Of a search: longest side of the resized picture, pixels, and minimum size of a face as a share of it."""

    side: int
    min_share: float


class Detector(ABC):
    """Finds faces at one coarse scale after the other until one shows a face, then at a fine one in a large photo.

    A face that is the picture's subject is wide enough for the coarse scales, which take the same time for every
    picture, whatever its size.
    """

    coarse: tuple[Scale, ...]
    fine: Scale | None

    @abstractmethod
    def search(self, picture: Picture, smallest: float) -> Iterable[Face]:
        """Faces at least as large as `smallest` pixels in an RGB picture, uint8 (H, W, 3), whose size is a scale's.

        Those to be trusted most come first; several may be of one face.
        """

    def find(self, picture: Picture) -> list[Face]:
        """Faces in an RGB picture, uint8 (H, W, 3), the largest first."""
        return self._coarsely(picture) or self._finely(picture)

    def find_all(self, picture: Picture) -> list[Face]:
        """The same faces, then smaller ones that only the fine scale shows beside them."""
        faces = self._coarsely(picture)
        new = [face for face in self._finely(picture) if not any(face.overlaps(known) for known in faces)]
        return faces + new

    def _coarsely(self, picture: Picture) -> list[Face]:
        return next(filter(None, (self._distinct(picture, scale) for scale in self.coarse)), [])

    def _finely(self, picture: Picture) -> list[Face]:
        return self._distinct(picture, self.fine) if self.fine and max(picture.shape) >= MIN_SIDE_FOR_FINE else []

    def _distinct(self, picture: Picture, scale: Scale) -> list[Face]:
        """Faces whose middle lies in the picture, the largest first, none of which overlaps one that is trusted more.

        A detector finds a second face in a mouth or a chin.
        """
        factor = scale.side / max(picture.shape[:2])
        height, width = (max(1, round(length * factor)) for length in picture.shape[:2])
        method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
        resized = np.asarray(cv2.resize(picture, (width, height), interpolation=method), dtype=np.uint8)
        distinct: list[Face] = []
        for face in self.search(resized, scale.min_share * scale.side):
            if Face(0, 0, width, height).contains(face.centre) and not any(map(face.overlaps, distinct)):
                distinct.append(face)
        return largest_first(face.rounded(factor) for face in distinct)


def angle_of(landmarks: NDArray[np.floating[Any]]) -> float:
    """How far a face is turned clockwise, degrees, by its five landmarks, (5, 2), in the order of `UPRIGHT`.

    The turn of the similarity transform from the upright face that fits them best (Umeyama 1991).
    """
    x, y = (landmarks - landmarks.mean(axis=0)).T
    upright_x, upright_y = np.array(UPRIGHT).T
    return math.degrees(math.atan2(upright_x @ y - upright_y @ x, upright_x @ x + upright_y @ y))


def largest_first(faces: Iterable[Face]) -> list[Face]:
    """Sorted by area; of two equal ones the one further left, then further up, comes first."""
    return sorted(faces, key=lambda face: (-face.width * face.height, face.x, face.y))


def with_border(picture: MatLike, share: float) -> tuple[MatLike, int]:
    """The picture within a border of its own edge pixels, and the border's width."""
    width = round(share * max(picture.shape[:2]))
    return cv2.copyMakeBorder(picture, width, width, width, width, cv2.BORDER_REPLICATE), width
