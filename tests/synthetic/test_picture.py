from dataclasses import replace

import numpy as np
import pytest

from facestudy.synthetic.expressions import FULL, Expression, expression
from facestudy.synthetic.people import Person, person
from facestudy.synthetic.picture import draw
from facestudy.synthetic.scenes import LIGHTS, OCCLUSIONS, Scene, scene

REST = Expression()


@pytest.fixture
def someone() -> Person:
    return replace(person(np.random.default_rng(3)), glasses="none", beard="none", hair_style="short", skin_tone=0.2)


@pytest.fixture
def plain() -> Scene:
    """A well-lit frontal view without noise."""
    drawn = scene(np.random.default_rng(4), {"none": 1.0})
    frontal = replace(drawn, yaw=0.0, pitch=0.0, roll=0.0, scale=0.36, shift=(0.0, 0.0), blur=0.0, noise=0.0)
    return replace(frontal, light="normal", direction=(0.0, -0.3, 1.0), ambient=0.5, exposure=1.0, warmth=0.0)


def _brightness(picture: np.ndarray) -> float:
    return float(picture.mean())


@pytest.mark.parametrize("size", [32, 96, 128, 257])
def test_same_arguments_give_the_same_picture_of_the_size_asked_for(someone: Person, plain: Scene, size: int) -> None:
    picture = draw(someone, REST, plain, size)
    assert picture.shape == (size, size, 3)
    assert picture.dtype == np.uint8
    assert np.array_equal(picture, draw(someone, REST, plain, size))


def test_extreme_people_and_scenes_are_drawn(plain: Scene) -> None:
    for number in range(60):
        generator = np.random.default_rng([5, number])
        emotion = list(FULL)[number % len(FULL)]
        draw(person(generator), expression(emotion, 1.0, generator), replace(scene(generator), yaw=0.3, roll=0.17), 64)


def test_light_says_how_bright_the_picture_is(someone: Person, plain: Scene) -> None:
    by_light: dict[str, list[float]] = {name: [] for name in LIGHTS}
    for number in range(300):
        around = scene(np.random.default_rng([6, number]), {"none": 1.0})
        if len(by_light[around.light]) < 6:
            by_light[around.light].append(_brightness(draw(someone, REST, around, 48)))
    mean = {name: np.mean(values) for name, values in by_light.items()}
    assert mean["very_dark"] < 0.6 * mean["dim"] < 0.6 * mean["normal"] < 0.6 * mean["bright"]


def test_light_from_the_side_falls_on_that_side(someone: Person, plain: Scene) -> None:
    right = draw(someone, REST, replace(plain, direction=(1.7, -0.3, 1.0), ambient=0.2), 96)[30:66]
    assert right[:, 52:70].mean() > 1.3 * right[:, 26:44].mean()


@pytest.mark.parametrize("occlusion", [name for name in OCCLUSIONS if name != "none"])
def test_an_occlusion_covers_its_part_of_the_face(someone: Person, plain: Scene, occlusion: str) -> None:
    covered = draw(someone, REST, replace(plain, occlusion=occlusion, cover=0.8), 96).astype(int)
    change = np.abs(covered - draw(someone, REST, plain, 96)).mean(axis=2)
    eyes, mouth = change[42:52, 30:66].mean(), change[62:74, 36:60].mean()
    assert (eyes > 12) == (occlusion in {"sunglasses", "hair"})
    assert (mouth > 8) == (occlusion in {"mask", "hand"})


@pytest.mark.parametrize("emotion", ["happy", "sad", "angry", "surprise"])
def test_an_expression_shows_more_the_stronger_it_is(someone: Person, plain: Scene, emotion: str) -> None:
    def change(strength: float) -> float:
        face = Expression(**{name: value * strength for name, value in vars(FULL[emotion]).items()})
        return float(np.abs(draw(someone, face, plain, 96).astype(int) - draw(someone, REST, plain, 96)).mean())

    assert 0 == change(0) < change(0.5) < change(1)
    assert change(1) > 1


def test_noise_and_blur_do_what_they_say(someone: Person, plain: Scene) -> None:
    sharp = draw(someone, REST, plain, 96).astype(int)
    noise = draw(someone, REST, replace(plain, noise=4.0), 96) - sharp
    assert 3 < noise.std() < 5
    blurred = draw(someone, REST, replace(plain, blur=0.01), 96).astype(int)
    assert np.abs(np.diff(blurred, axis=0)).mean() < 0.9 * np.abs(np.diff(sharp, axis=0)).mean()


def test_the_face_has_a_relief(someone: Person, plain: Scene) -> None:
    """The two flanks of the nose, a few pixels apart, are lit differently by light from the side."""
    grey = draw(someone, REST, replace(plain, direction=(1.7, -0.3, 1.0), ambient=0.2), 96)[50:58].mean(axis=2)
    assert grey[:, 49:53].mean() > 1.5 * grey[:, 43:47].mean()
