import math
from collections.abc import Iterable, Sequence

import numpy as np
import pytest

from facestudy.faces.face import UPRIGHT, Detector, Face, Picture, Scale, angle_of

LARGE, SMALL, MOUTH = Face(20, 20, 100, 120), Face(300, 200, 40, 40), Face(50, 100, 40, 20)
SIDES = (100, 200, 400)  # of the first and the second coarse scale, and of the fine one


class Fixed(Detector):
    """Sees at each of its scales the faces that a test names, in pixels of a photo of 400 by 400."""

    coarse, fine = (Scale(SIDES[0], 0.2), Scale(SIDES[1], 0.2)), Scale(SIDES[2], 0.1)

    def __init__(self, first: Sequence[Face], second: Sequence[Face] = (), finely: Sequence[Face] = ()) -> None:
        self._faces = dict(zip(SIDES, (first, second, finely), strict=True))

    def search(self, picture: Picture, smallest: float) -> Iterable[Face]:
        factor = len(picture) / 400
        for face in self._faces[len(picture)]:
            yield Face(face.x * factor, face.y * factor, face.width * factor, face.height * factor, face.angle)


def photo(side: int = 400) -> Picture:
    return np.zeros((side, side, 3), np.uint8)


def test_centre_and_edges_of_a_box() -> None:
    face = Face(10, 20, 30, 40)
    assert face.centre == (25, 40)
    assert face.contains((10, 20)) and not face.contains((40, 60))


def test_what_a_detector_says_is_rounded_so_that_its_last_digits_change_nothing() -> None:
    for face in (Face(10.1, 20.3, 60.4, 40.9, -3.14), Face(10.1001, 20.2999, 60.3999, 40.9001, -3.1401)):
        (rounded,) = Fixed([face]).find(photo())  # searched at a quarter: steps of half a pixel
        assert (rounded.x, rounded.y, rounded.width, rounded.height) == (10, 20.5, 60.5, 41)
        assert rounded.angle == pytest.approx(-3.1)


@pytest.mark.parametrize("angle", [0, 20, -45, 170])
def test_the_angle_is_the_turn_of_all_landmarks_wherever_they_lie_and_whatever_their_size(angle: float) -> None:
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    turned = 30 * np.array(UPRIGHT) @ [[cosine, sine], [-sine, cosine]] + (70, 90)
    assert angle_of(turned) == pytest.approx(angle)
    turned[0, 1] += 1  # one of them misplaced
    assert angle_of(turned) == pytest.approx(angle, abs=3)


def test_one_face_is_one_box_the_most_trusted_and_the_largest_face_comes_first() -> None:
    assert Fixed([MOUTH, LARGE]).find(photo()) == [MOUTH]
    assert Fixed([SMALL, LARGE, MOUTH]).find(photo()) == [LARGE, SMALL]


def test_a_face_whose_middle_lies_outside_the_picture_is_none() -> None:
    inside, outside = Face(-40, 20, 90, 90), Face(350, 50, 120, 40)
    assert Fixed([outside, inside]).find(photo()) == [inside]


def test_the_second_coarse_scale_is_for_a_picture_in_which_the_first_shows_no_face() -> None:
    assert Fixed([], second=[LARGE]).find(photo()) == [LARGE]
    assert Fixed([LARGE], second=[SMALL]).find_all(photo()) == [LARGE]


def test_the_fine_scale_is_for_large_photos_without_a_large_face_or_where_small_ones_count_too() -> None:
    both, only_finely = Fixed([LARGE], finely=[LARGE, SMALL]), Fixed([], finely=[SMALL])
    assert both.find(photo()) == [LARGE]
    assert both.find_all(photo()) == [LARGE, SMALL]
    assert only_finely.find(photo()) == only_finely.find_all(photo()) == [SMALL]
    assert only_finely.find(photo(200)) == only_finely.find_all(photo(200)) == []
