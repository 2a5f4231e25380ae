"""Photos read and searched for faces: the one way of `preprocess`, `pretrain_faces`, `predict` and the demo page."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from facestudy.faces.detection import detector_for
from facestudy.faces.face import Face, Picture
from facestudy.photos.reading import UnreadablePicture, read
from facestudy.project.sections import Preprocess


class Searched(NamedTuple):
    """A photo and its faces, or why it could not be read."""

    picture: Picture  # uint8 (H, W, 3) in RGB; of one that could not be read, without a pixel
    faces: list[Face]  # the largest first
    problem: str  # why it could not be read, or empty


def search(
    photos: Sequence[Path], settings: Preprocess, max_megapixels: float, small_too: bool = False
) -> Iterator[Searched]:
    """One photo after the other, in one thread; `small_too`: also faces that are small beside a large one.

    Raises StudyError where the detector cannot be had.
    """
    cv2.setNumThreads(1)  # photos are searched side by side; within one, threads would bring faces in any order
    detector = detector_for(settings)
    for photo in photos:
        try:
            picture = read(photo, max_megapixels)
        except UnreadablePicture as error:
            yield Searched(np.empty((0, 0, 3), np.uint8), [], str(error))
        else:
            yield Searched(picture, detector.find_all(picture) if small_too else detector.find(picture), "")
