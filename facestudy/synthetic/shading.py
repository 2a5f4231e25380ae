"""Light on the face: a height map of sockets, nose, cheeks, lips and chin, lit by Lambert's cosine law.

Without it a drawing is no face to a detector: Haar features compare the brightness of eye sockets,
bridge of the nose and cheeks.
"""

import math
from collections.abc import Iterator

import numpy as np

from facestudy.synthetic.canvas import View
from facestudy.synthetic.expressions import Expression
from facestudy.synthetic.people import Person

# Hills and hollows: x, y, width, height, rise; those with x > 0 stand on both sides.
Bump = tuple[float, float, float, float, float]
Hill = tuple[tuple[slice, slice], np.ndarray, np.ndarray, np.ndarray]


def light(view: View, person: Person, face: Expression, bare: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Brightness of each pixel, about 1 where skin is lit well, and the gloss to add; both float32 (size, size).

    `bare` (size, size) in 0..1 says where the face's own relief shows: under cloth only the head's round does.
    """
    x, y = view.grid()
    scene = view.scene
    wide, high = person.head_width * 1.08, 1.12
    flat = (x / wide) ** 2 + (y / high) ** 2
    depth = np.sqrt(np.maximum(1 - flat, 0.05))
    right, down = x / wide / wide * 0.62, y / high / high * 0.62
    slope_x, slope_y = np.zeros_like(x), np.zeros_like(x)
    for bump in _relief(person, face):
        for window, off_x, off_y, hill in _hills(view, x, y, bump):
            slope_x[window] += hill * off_x
            slope_y[window] += hill * off_y
    right, down = right + slope_x * bare * depth, down + slope_y * bare * depth
    length = np.sqrt(right**2 + down**2 + depth**2)
    towards = [part / math.hypot(*scene.direction) for part in scene.direction]
    # The light turns with the room, not with the head.
    cos, sin = math.cos(scene.roll), math.sin(scene.roll)
    light_x, light_y = towards[0] * cos + towards[1] * sin, -towards[0] * sin + towards[1] * cos
    lit = np.clip((right * light_x + down * light_y + depth * towards[2]) / length, 0, 1)
    shadow = np.ones_like(x)
    for bump in _shadows(person):
        for window, _, _, hill in _hills(view, x, y, bump):
            shadow[window] *= 1 - hill * bare[window]
    brightness = (scene.ambient + (1 - scene.ambient) * lit / max(0.75, towards[2])) * shadow
    gloss = np.square(np.square(np.square(np.square(lit)))) * bare * (1 - scene.ambient) * 0.13
    return brightness, gloss


def _relief(person: Person, face: Expression) -> list[Bump]:
    tip, mouth, width = person.nose_length, person.mouth_height, person.nose_width
    return [
        (0.0, 0.12, person.bridge, 0.24, 0.085),
        (0.0, tip - 0.03, width * 0.60, 0.085, 0.12),
        (width * 0.78, tip, 0.05, 0.05, 0.03),
        (person.eye_spacing, -person.brow_height * 0.85, 0.20, 0.06, 0.03),
        (person.eye_spacing, -0.01, 0.16, 0.095, -0.06),
        (0.43, 0.31 - 0.03 * face.cheeks, 0.17, 0.13, 0.045 + 0.03 * max(0.0, face.cheeks) + person.cheek),
        (0.0, mouth + 0.02, 0.19, 0.07, 0.03),
        (0.0, 0.87 + 0.5 * face.opening, 0.15, 0.09, 0.045),
    ]


def _shadows(person: Person) -> list[Bump]:
    tip, mouth = person.nose_length, person.mouth_height
    return [
        (person.eye_spacing, -0.03, 0.175, 0.105, 0.40),
        (0.125, -0.04, 0.05, 0.10, 0.20),
        (0.0, tip + 0.07, 0.12, 0.035, 0.26),
        (0.0, mouth + 0.125, 0.13, 0.035, 0.18),
    ]


def _hills(view: View, x: np.ndarray, y: np.ndarray, bump: Bump) -> Iterator[Hill]:
    """For a bump, once or on both sides: the part of the picture it reaches, and there -dh/dx / h, -dh/dy / h and h."""
    centre_x, centre_y, wide, high, rise = bump
    sides = (-1, 1) if centre_x > 0 else (1,)
    middles = view.turned([(side * centre_x, centre_y) for side in sides], raised=0.06)
    reach = int(3 * max(wide, high) * view.scene.scale * view.size) + 1
    for middle, place in zip(middles.astype(np.float32), view.flat(middles) * view.size, strict=True):
        column, row = (max(0, round(part)) for part in place.tolist())
        window = slice(max(0, row - reach), row + reach), slice(max(0, column - reach), column + reach)
        across, along = x[window] - middle[0], y[window] - middle[1]
        off_x, off_y = across / wide**2, along / high**2
        yield window, off_x, off_y, rise * np.exp(-0.5 * (across * off_x + along * off_y))
