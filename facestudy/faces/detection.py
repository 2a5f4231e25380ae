"""Where the faces in a picture are: OpenCV's frontal Haar cascade, or YuNet from its ONNX file.

Both search a resized picture with a border added: a face that fills its picture, as in press crops and film
frames, is found only if something lies around it. A detector serves one thread.

Measured with pyramid step 1.05, 5 hits and border 0.25: the cascade finds a face in 1,386 of 1,387 press crops,
never two, in 153 of 259 small film frames, often turned away, and in 98 % of drawn people; about 18 ms a picture
on one core. Searches at 96 to 256 px find the same within 2 points and place the box equally well; the time grows
with the size, so the smallest is used.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from cv2.data import haarcascades
from cv2.typing import MatLike
from numpy.typing import NDArray

from facestudy.errors import StudyError
from facestudy.project.sections import Preprocess

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

    def contains(self, point: Point) -> bool:
        """Whether a point, (x, y) in pixels, lies in the box."""
        return self.x <= point[0] < self.x + self.width and self.y <= point[1] < self.y + self.height


# Scale of a search: longest side of the resized picture, pixels, and minimum size of a face as a share of it.
# A face that is the picture's subject is wide enough for the coarse scale, which takes the same time for every
# picture, whatever its size. Where it shows none, a photo with pixels to spare is searched at the fine scale.
COARSE, FINE = (96, 0.25), (384, 0.1)
MIN_SIDE_FOR_FINE = 320  # pixels: below it the fine scale shows no new detail, only false faces


class Haar:
    """OpenCV's `haarcascade_frontalface_default` (Viola and Jones 2001; Lienhart and Maydt 2002)."""

    def __init__(self, scale_factor: float, min_neighbors: int, border: float) -> None:
        """Pyramid step above 1, hits that make a face, and border as a share of the longest side."""
        self._cascade = cv2.CascadeClassifier(f"{haarcascades}haarcascade_frontalface_default.xml")
        self._scale_factor, self._min_neighbors, self._border = scale_factor, min_neighbors, border

    def find(self, picture: Picture) -> list[Face]:
        """Faces in an RGB picture, uint8 (H, W, 3), the largest first."""
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        return self._search(grey, *COARSE) or self._search_finely(grey)

    def find_all(self, picture: Picture) -> list[Face]:
        """The same faces, then smaller ones that only the fine scale shows beside them."""
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        faces = self._search(grey, *COARSE)
        for face in self._search_finely(grey):
            if not any(known.contains(face.centre) or face.contains(known.centre) for known in faces):
                faces.append(face)
        return faces

    def _search_finely(self, grey: MatLike) -> list[Face]:
        return self._search(grey, *FINE) if max(grey.shape) >= MIN_SIDE_FOR_FINE else []

    def _search(self, grey: MatLike, side: int, min_share: float) -> list[Face]:
        resized, factor = _resized(grey, side)
        padded, border = _padded(cv2.equalizeHist(resized), self._border)
        min_size = round(min_share * side)
        boxes = self._cascade.detectMultiScale(
            padded, scaleFactor=self._scale_factor, minNeighbors=self._min_neighbors, minSize=(min_size, min_size)
        )
        faces = (Face(*(np.asarray(box) - (border, border, 0, 0)) / factor) for box in boxes)
        return _distinct(faces, grey.shape)


class YuNet:
    """YuNet (Wu, Peng and Yu 2023) through OpenCV; its file is in the OpenCV Zoo, not in this project."""

    SIDE = 320  # pixels; the published model was trained at it
    MIN_CONFIDENCE = 0.7  # OpenCV's sample has 0.9, too strict for turned faces

    def __init__(self, file: Path, border: float) -> None:
        """The ONNX file, and the border as a share of the longest side."""
        try:
            self._network = cv2.FaceDetectorYN.create(str(file), "", (self.SIDE, self.SIDE), self.MIN_CONFIDENCE)
            self._network.detect(np.zeros((self.SIDE, self.SIDE, 3), np.uint8))  # another model fails at its outputs
        except cv2.error as error:
            raise StudyError(f"preprocess.detector_file: {file} is no YuNet model ({error.err})") from None
        self._border = border

    def find(self, picture: Picture) -> list[Face]:
        """As `Haar.find`; with eyes."""
        resized, factor = _resized(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), self.SIDE)
        padded, border = _padded(resized, self._border)
        self._network.setInputSize((padded.shape[1], padded.shape[0]))
        rows = self._network.detect(padded)[1]
        return _distinct((self._face(row, border, factor) for row in ([] if rows is None else rows)), picture.shape)

    find_all = find  # its one scale is fine

    @staticmethod
    def _face(row: NDArray[np.float32], border: int, factor: float) -> Face:
        x, y, width, height = (row[:4].astype(float) - (border, border, 0, 0)) / factor
        # The model gives the person's right eye first, which is on the picture's left.
        left, right = (row[4:8].astype(float).reshape(2, 2) - border) / factor
        return Face(x, y, width, height, ((left[0], left[1]), (right[0], right[1])))


Detector = Haar | YuNet


def detector_for(settings: Preprocess) -> Detector:
    """The detector of `preprocess`; StudyError that names the key where YuNet's file is missing."""
    if settings.detector == "haar":
        return Haar(settings.scale_factor, settings.min_neighbors, settings.border)
    if settings.detector_file is None or not Path(settings.detector_file).is_file():
        problem = "null" if settings.detector_file is None else f"{settings.detector_file}, which is not there"
        raise StudyError(
            f"preprocess.detector_file is {problem}, but preprocess.detector is yunet: give the path of its ONNX file "
            "(face_detection_yunet_*.onnx from the OpenCV Zoo), or set preprocess.detector: haar, which needs none"
        )
    return YuNet(Path(settings.detector_file), settings.border)


def _resized(picture: MatLike, side: int) -> tuple[MatLike, float]:
    """The picture with this longest side, and the factor between the two sizes."""
    factor = side / max(picture.shape[:2])
    height, width = (max(1, round(length * factor)) for length in picture.shape[:2])
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return cv2.resize(picture, (width, height), interpolation=method), factor


def _padded(picture: MatLike, share: float) -> tuple[MatLike, int]:
    """The picture within a border of its own edge pixels, and the border's width."""
    width = round(share * max(picture.shape[:2]))
    return cv2.copyMakeBorder(picture, width, width, width, width, cv2.BORDER_REPLICATE), width


def _distinct(faces: Iterable[Face], shape: tuple[int, ...]) -> list[Face]:
    """Faces whose centre lies in the picture, the largest first, without those whose centre is in a larger one's box.

    A cascade finds a second, smaller face in a mouth or a chin; the boxes of two people do not contain each other's
    centre.
    """
    picture = Face(0, 0, shape[1], shape[0])
    distinct: list[Face] = []
    for face in sorted(faces, key=lambda face: (-face.width * face.height, face.x, face.y)):
        if picture.contains(face.centre) and not any(larger.contains(face.centre) for larger in distinct):
            distinct.append(face)
    return distinct
