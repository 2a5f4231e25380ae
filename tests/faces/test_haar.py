import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from facestudy.faces.face import Picture
from facestudy.faces.haar import Haar
from facestudy.photos.reading import read
from facestudy.project.sections import Preprocess


@pytest.fixture(scope="module")
def haar(settings: Preprocess) -> Haar:
    return Haar(settings.haar)


def test_drawn_people_are_found_once(haar: Haar, drawn: list[Path]) -> None:
    assert len(drawn) > 10
    counts = [len(haar.find(read(path, 1))) for path in drawn]
    assert np.mean([count == 1 for count in counts]) >= 0.9


def test_a_face_that_fills_the_picture_needs_the_border(haar: Haar, portrait: Picture, settings: Preprocess) -> None:
    face = haar.find(portrait)[0]
    side = round(0.7 * face.width)
    x, y = (round(middle - side / 2) for middle in face.centre)
    tight = np.ascontiguousarray(portrait[y : y + side, x : x + side])
    assert not Haar(settings.haar.model_copy(update={"border": 0.0})).find(tight)
    assert math.dist(haar.find(tight)[0].centre, (side / 2, side / 2)) < 0.15 * side


def test_boxes_are_in_pixels_of_the_picture_whatever_its_size(haar: Haar, portrait: Picture) -> None:
    small = haar.find(portrait)[0]
    large = haar.find(np.asarray(cv2.resize(portrait, None, fx=5, fy=5), dtype=np.uint8))[0]
    assert large.centre == pytest.approx([5 * value for value in small.centre], abs=20)
    assert large.width == pytest.approx(5 * small.width, rel=0.1)


def test_all_faces_are_found_beside_a_large_one(haar: Haar, group_photo: Picture) -> None:
    (largest,) = haar.find(group_photo)
    faces = haar.find_all(group_photo)
    assert faces[0] == largest and len(faces) == 2
    assert 680 < faces[1].centre[0] < 880


def test_no_face_in_noise_or_in_a_plain_picture(haar: Haar) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 150, 3), dtype=np.uint8)
    assert haar.find(noise) == []
    assert haar.find(np.full((16, 400, 3), 90, np.uint8)) == []
