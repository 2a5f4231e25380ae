"""YuNet (Wu, Peng and Yu 2023) through OpenCV; its file is in the OpenCV Zoo, not in this project."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facestudy.errors import StudyError
from facestudy.faces.face import Detector, Face, Picture, Scale, angle_of, largest_first, with_border

SIDE = 320  # pixels; the published model was trained at it
MIN_CONFIDENCE = 0.7  # OpenCV's sample has 0.9, too strict for turned faces
BORDER = 0.25  # share of the longest side: a face that fills its picture is found only if something lies around it


class YuNet(Detector):
    """The model of an ONNX file; it serves one thread."""

    coarse, fine = (Scale(SIDE, 0.0),), None

    def __init__(self, file: Path) -> None:
        """Raises StudyError where the file is no YuNet model."""
        try:
            self._network = cv2.FaceDetectorYN.create(str(file), "", (SIDE, SIDE), MIN_CONFIDENCE)
            self._network.detect(np.zeros((SIDE, SIDE, 3), np.uint8))  # another model fails at its outputs
        except cv2.error as error:
            raise StudyError(f"preprocess.detector_file: {file} is no YuNet model ({error.err})") from None

    def search(self, picture: Picture, smallest: float) -> list[Face]:
        """As `Detector.search`, with angles; OpenCV leaves one box of each face."""
        padded, border = with_border(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), BORDER)
        self._network.setInputSize((padded.shape[1], padded.shape[0]))
        rows = self._network.detect(padded)[1]
        return largest_first(_face(row, border) for row in ([] if rows is None else rows))


def _face(row: NDArray[np.float32], border: int) -> Face:
    x, y, width, height = row[:4].astype(float) - (border, border, 0, 0)
    return Face(x, y, width, height, angle_of(row[4:14].astype(float).reshape(5, 2)))
