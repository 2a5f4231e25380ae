"""Where the faces in a picture are: OpenCV's frontal Haar cascade, or YuNet from its ONNX file.

Both look at a small copy of the picture, with a border added: a face that fills its picture, as in
press crops and film frames, is found only if something lies around it. An object here serves one thread.

Measured with pyramid step 1.05, 5 hits and border 0.25: the cascade finds a face in 1,386 of 1,387
press crops, never two, in 153 of 259 small film frames, often turned away, and in 98 % of drawn
people; about 18 ms a picture on one core. Copies of 96 to 256 px find the same within 2 points and
place the box equally well; the time grows with the copy, so the smallest is taken.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import cv2
import numpy as np
from cv2.data import haarcascades
from cv2.typing import MatLike
from numpy.typing import NDArray

from stages.errors import StudyError
from stages.params import Preprocess

Picture = NDArray[np.uint8]
Point = tuple[float, float]


@dataclass(frozen=True)
class Face:
    """A box in pixels of the picture, which it may leave, and both eyes (the one on the left first) if known."""

    x: float
    y: float
    width: float
    height: float
    eyes: tuple[Point, Point] | None = None

    @property
    def centre(self) -> Point:
        """Middle of the box, (x, y) in pixels."""
        return self.x + self.width / 2, self.y + self.height / 2


class Detector(Protocol):
    """Finds faces in one picture after another."""

    def find(self, picture: Picture) -> list[Face]:
        """Faces in an RGB picture, uint8 (H, W, 3), the largest first."""

    def find_all(self, picture: Picture) -> list[Face]:
        """The same faces, then smaller ones that a closer look finds beside them."""


class Look(NamedTuple):
    """How closely a picture is looked at: its longest side in the copy, and the least face as a share of it."""

    side: int
    least: float


# A face that is the picture's subject is wide enough for the first look, which takes the same time
# for every picture, whatever its size. Where it finds none, a photo with pixels to spare gets a closer one.
FIRST, SECOND = Look(side=96, least=0.25), Look(side=384, least=0.1)
ENOUGH_FOR_A_SECOND = 320  # pixels: below it a second look sees no new detail, only false faces


class Haar:
    """OpenCV's `haarcascade_frontalface_default` (Viola and Jones 2001; Lienhart and Maydt 2002)."""

    def __init__(self, scale_factor: float, min_neighbors: int, border: float) -> None:
        """Pyramid step above 1, hits that make a face, and border as a share of the longest side."""
        self._cascade = cv2.CascadeClassifier(f"{haarcascades}haarcascade_frontalface_default.xml")
        self._scale_factor, self._min_neighbors, self._border = scale_factor, min_neighbors, border

    def find(self, picture: Picture) -> list[Face]:
        """Faces in an RGB picture, uint8 (H, W, 3), the largest first."""
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        return self._look(grey, FIRST) or self._closer(grey)

    def find_all(self, picture: Picture) -> list[Face]:
        """The same faces, then smaller ones that a closer look finds beside them."""
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        faces = self._look(grey, FIRST)
        for face in self._closer(grey):
            if not any(_holds(known, *face.centre) or _holds(face, *known.centre) for known in faces):
                faces.append(face)
        return faces

    def _closer(self, grey: MatLike) -> list[Face]:
        return self._look(grey, SECOND) if max(grey.shape) >= ENOUGH_FOR_A_SECOND else []

    def _look(self, grey: MatLike, look: Look) -> list[Face]:
        copy, scale = _sized(grey, look.side)
        copy, border = _bordered(cv2.equalizeHist(copy), self._border)
        least = round(look.least * look.side)
        boxes = self._cascade.detectMultiScale(
            copy, scaleFactor=self._scale_factor, minNeighbors=self._min_neighbors, minSize=(least, least)
        )
        found = (Face(*(np.asarray(box) - (border, border, 0, 0)) / scale) for box in boxes)
        return _distinct(found, grey.shape)


class YuNet:
    """YuNet (Wu, Peng and Yu 2023) through OpenCV; its file is in the OpenCV Zoo, not in this project."""

    LOOK = 320  # the side that the published model was trained at
    CONFIDENCE = 0.7  # least score of a face; OpenCV's sample takes 0.9, too strict for turned faces

    def __init__(self, file: Path, border: float) -> None:
        """The ONNX file, and the border as a share of the longest side."""
        try:
            self._network = cv2.FaceDetectorYN.create(str(file), "", (self.LOOK, self.LOOK), self.CONFIDENCE)
            self._network.detect(np.zeros((self.LOOK, self.LOOK, 3), np.uint8))  # another model fails at its outputs
        except cv2.error as error:
            raise StudyError(f"preprocess.detector_file: {file} is no YuNet model ({error.err})") from None
        self._border = border

    def find(self, picture: Picture) -> list[Face]:
        """Faces in an RGB picture, uint8 (H, W, 3), the largest first; with eyes."""
        copy, scale = _sized(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), self.LOOK)
        copy, border = _bordered(copy, self._border)
        self._network.setInputSize((copy.shape[1], copy.shape[0]))
        rows = self._network.detect(copy)[1]
        return _distinct((self._face(row, border, scale) for row in ([] if rows is None else rows)), picture.shape)

    find_all = find  # its one look is close

    @staticmethod
    def _face(row: NDArray[np.float32], border: int, scale: float) -> Face:
        x, y, width, height = (row[:4].astype(float) - (border, border, 0, 0)) / scale
        # The file gives the person's right eye first, which stands on the picture's left.
        left, right = (row[4:8].astype(float).reshape(2, 2) - border) / scale
        return Face(x, y, width, height, ((left[0], left[1]), (right[0], right[1])))


def detector_for(settings: Preprocess) -> Detector:
    """The detector of `preprocess`; StudyError that names the key where YuNet's file is missing."""
    if settings.detector == "haar":
        return Haar(settings.scale_factor, settings.min_neighbors, settings.border)
    if settings.detector_file is None:
        raise StudyError(
            "preprocess.detector_file is null, but preprocess.detector is yunet: give the path of its ONNX file "
            "(face_detection_yunet_*.onnx from the OpenCV Zoo), or take preprocess.detector: haar, which needs none"
        )
    file = Path(settings.detector_file)
    if not file.is_file():
        raise StudyError(
            f"preprocess.detector_file: {file} is not there; give the path of YuNet's ONNX file, "
            "or take preprocess.detector: haar, which needs none"
        )
    return YuNet(file, settings.border)


def _sized(picture: MatLike, side: int) -> tuple[MatLike, float]:
    """The picture with this longest side, and how much larger it is than before."""
    scale = side / max(picture.shape[:2])
    height, width = (max(1, round(length * scale)) for length in picture.shape[:2])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(picture, (width, height), interpolation=method), scale


def _bordered(picture: MatLike, share: float) -> tuple[MatLike, int]:
    """The picture within a border of its own edge pixels, and the border's width."""
    width = round(share * max(picture.shape[:2]))
    return cv2.copyMakeBorder(picture, width, width, width, width, cv2.BORDER_REPLICATE), width


def _distinct(faces: Iterable[Face], shape: tuple[int, ...]) -> list[Face]:
    """Faces whose middle lies in the picture, the largest first, without those that begin in a larger one's box.

    A cascade takes a mouth or a chin for a second, smaller face; two people's boxes do not hold
    each other's middle.
    """
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: (-face.width * face.height, face.x, face.y)):
        x, y = face.centre
        inside = 0 <= x < shape[1] and 0 <= y < shape[0]
        if inside and not any(_holds(larger, x, y) for larger in kept):
            kept.append(face)
    return kept


def _holds(face: Face, x: float, y: float) -> bool:
    return face.x <= x < face.x + face.width and face.y <= y < face.y + face.height
