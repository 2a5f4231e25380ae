import cv2
import numpy as np
import pytest

from facestudy.faces import cropping
from facestudy.faces.face import Face, Picture


def gradient(height: int, width: int) -> Picture:
    """A picture whose red is the column and whose green is the row."""
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([columns, rows, np.zeros_like(rows)], axis=2).astype(np.uint8)


def test_a_square_within_the_picture_is_copied_pixel_by_pixel() -> None:
    picture = gradient(100, 120)
    assert np.array_equal(cropping.face(picture, Face(30, 20, 40, 40), 0.0, 40), picture[20:60, 30:70])


def test_the_margin_goes_round_the_box() -> None:
    picture = gradient(100, 120)
    assert np.array_equal(cropping.face(picture, Face(40, 30, 40, 40), 0.25, 60), picture[20:80, 30:90])


def test_beyond_the_picture_its_edge_is_repeated() -> None:
    square = cropping.face(gradient(100, 100), Face(-20, 80, 40, 40), 0.0, 40)
    assert np.array_equal(square[:20, 20:], gradient(100, 100)[80:100, :20])
    assert (square[:, :20, 0] == 0).all()  # left of the picture: its first column
    assert (square[20:, :, 1] == 99).all()  # below it: its last row


def test_a_box_of_two_lengths_is_not_stretched() -> None:
    square = cropping.face(gradient(200, 200), Face(80, 60, 40, 80), 0.0, 80)
    assert np.array_equal(square, gradient(200, 200)[60:140, 60:140])


@pytest.mark.parametrize(("height", "width"), [(60, 120), (120, 60), (16, 200), (7, 7), (300, 200)])
def test_the_whole_picture_is_all_there_and_centred(height: int, width: int) -> None:
    picture = np.full((height, width, 3), 50, np.uint8)
    picture[:, :, 1] = np.linspace(0, 255, width).astype(np.uint8)
    square = cropping.whole(picture, 64)
    assert square.shape == (64, 64, 3) and square.dtype == np.uint8
    assert (square[:, :, 0] == 50).all()
    row = square[32, :, 1].astype(int)
    blank = (64 - round(64 * min(width / height, 1))) // 2  # beside a tall picture
    assert np.all(np.diff(row) >= 0) and row[blank] < 40 and row[63 - blank] > 215


def test_shrinking_averages_every_pixel() -> None:
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::8] = 255
    for angle in (None, 0.0):
        square = cropping.face(stripes, Face(0, 0, 256, 256, angle), 0.0, 32)
        assert np.abs(square.astype(int) - 255 / 8).max() <= 1


def test_eyes_are_brought_level_without_moving_or_resizing_the_face() -> None:
    size, angle = 200, 25
    picture = np.zeros((size, size, 3), np.uint8)
    cv2.rectangle(picture, (60, 80), (140, 100), (255, 255, 255), -1)  # a level bar around (100, 90)
    turn = cv2.getRotationMatrix2D((100, 100), -angle, 1.0)
    tilted = np.asarray(cv2.warpAffine(picture, turn, (size, size)), dtype=np.uint8)
    square = cropping.face(tilted, Face(50, 50, 100, 100, angle), 0.0, 100)
    expected = picture[50:150, 50:150]
    assert np.mean(np.abs(square.astype(int) - expected) > 100) < 0.02
    upright = cropping.face(tilted, Face(50, 50, 100, 100), 0.0, 100)
    assert np.mean(np.abs(upright.astype(int) - expected) > 100) > 0.1


def test_turned_and_upright_crops_agree_where_nothing_is_to_turn() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (90, 90, 3), dtype=np.uint8)
    picture = np.asarray(cv2.GaussianBlur(noise, (0, 0), 6), dtype=np.uint8)
    for box, size in (((20, 20, 50, 50), 50), ((-10, 30, 60, 60), 30), ((20, 20, 50, 50), 120)):
        turned, upright = (
            cropping.face(picture, Face(*box, 0.0), 0.0, size),
            cropping.face(picture, Face(*box), 0.0, size),
        )
        assert np.abs(turned.astype(int) - upright).max() <= 6


def test_a_square_far_larger_than_the_picture_needs_no_memory() -> None:
    square = cropping.whole(np.full((16, 200_000, 3), 7, np.uint8), 64)
    assert (square == 7).all()
