import math
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from facestudy.errors import StudyError
from facestudy.faces.detection import Face, Haar, detector_for
from facestudy.photos.reading import read
from tests.faces.conftest import SETTINGS
from tests.inputs import REAL_PHOTOS

Picture = NDArray[np.uint8]


@pytest.fixture(scope="module")
def haar() -> Haar:
    return Haar(SETTINGS.scale_factor, SETTINGS.min_neighbors, SETTINGS.border)


def test_drawn_people_are_found_once(haar: Haar, drawn: list[Path]) -> None:
    assert len(drawn) > 10
    counts = [len(haar.find(read(path, 1))) for path in drawn]
    assert np.mean([count == 1 for count in counts]) >= 0.9


def test_a_face_that_fills_the_picture_needs_the_border(haar: Haar, portrait: Picture) -> None:
    face = haar.find(portrait)[0]
    side = round(0.8 * face.width)
    x, y = (round(middle - side / 2) for middle in face.centre)
    tight = np.ascontiguousarray(portrait[y : y + side, x : x + side])
    assert not Haar(SETTINGS.scale_factor, SETTINGS.min_neighbors, 0.0).find(tight)
    assert math.dist(haar.find(tight)[0].centre, (side / 2, side / 2)) < 0.15 * side


def test_boxes_are_in_pixels_of_the_picture_whatever_its_size(haar: Haar, portrait: Picture) -> None:
    small = haar.find(portrait)[0]
    large = haar.find(np.asarray(cv2.resize(portrait, None, fx=5, fy=5), dtype=np.uint8))[0]
    assert large.centre == pytest.approx([5 * value for value in small.centre], abs=20)
    assert large.width == pytest.approx(5 * small.width, rel=0.1)


def test_small_faces_in_large_photos_are_found_at_the_fine_scale(haar: Haar, drawn: list[Path]) -> None:
    across = np.linspace(60, 200, 640).astype(np.uint8)
    count = 0
    for path in drawn[:8]:
        portrait = read(path, 1)
        face = haar.find(portrait)[0]
        photo = np.zeros((500, 640, 3), np.uint8) + across[:, None]
        photo[300:428, 400:528] = portrait
        near = (math.dist(each.centre, (400 + face.centre[0], 300 + face.centre[1])) for each in haar.find(photo))
        count += min(near, default=math.inf) < 15
    assert count >= 6


def test_two_people_are_two_faces_the_larger_first(haar: Haar, portrait: Picture) -> None:
    beside = np.zeros((128, 224, 3), np.uint8) + portrait[:1, :1]
    beside[:96, :96] = cv2.resize(portrait, (96, 96), interpolation=cv2.INTER_AREA)
    beside[:, 96:] = portrait
    faces = haar.find(beside)
    assert len(faces) == 2
    assert faces[0].x > faces[1].x


def test_all_faces_are_found_beside_a_large_one(haar: Haar, portrait: Picture) -> None:
    photo = np.full((600, 900, 3), 120, np.uint8)
    photo[:600, :600] = cv2.resize(portrait, (600, 600), interpolation=cv2.INTER_CUBIC)
    photo[200:400, 680:880] = cv2.resize(portrait, (200, 200), interpolation=cv2.INTER_AREA)
    (largest,) = haar.find(photo)
    faces = haar.find_all(photo)
    assert faces[0] == largest and len(faces) == 2
    assert 680 < faces[1].centre[0] < 880
    assert haar.find_all(portrait) == haar.find(portrait)


def test_no_face_in_noise_or_in_a_plain_picture(haar: Haar) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 150, 3), dtype=np.uint8)
    assert haar.find(noise) == []
    assert haar.find(np.full((16, 400, 3), 90, np.uint8)) == []


def test_centre_and_edges_of_a_box() -> None:
    face = Face(10, 20, 30, 40)
    assert face.centre == (25, 40)
    assert face.contains((10, 20)) and not face.contains((40, 60))


def test_yunet_without_its_file_names_the_key(tmp_path: Path) -> None:
    yunet = SETTINGS.model_copy(update={"detector": "yunet"})
    with pytest.raises(StudyError, match=r"preprocess\.detector_file is null"):
        detector_for(yunet)
    with pytest.raises(StudyError, match=r"preprocess\.detector_file is nowhere.onnx, which is not there"):
        detector_for(yunet.model_copy(update={"detector_file": "nowhere.onnx"}))
    file = tmp_path / "broken.onnx"
    file.write_bytes(b"no model")
    with pytest.raises(StudyError, match=r"preprocess\.detector_file: .*broken.onnx is no YuNet model"):
        detector_for(yunet.model_copy(update={"detector_file": str(file)}))


@pytest.mark.photos
@pytest.mark.parametrize(("origin", "minimum"), [("press", 0.95), ("film", 0.45)])
def test_real_faces(haar: Haar, origin: str, minimum: float) -> None:
    labels = pd.read_csv(REAL_PHOTOS / "labels.csv", keep_default_na=False)
    files = labels.loc[labels["origin"] == origin, "file"].sample(60, random_state=0)
    detected = [bool(haar.find(read(REAL_PHOTOS / "images" / file, 1))) for file in files]
    assert np.mean(detected) >= minimum
