"""What covers a face: glasses, sunglasses, a mask, a hand, hair across the face."""

import numpy as np

from facestudy.synthetic.canvas import Canvas, mixed, smooth
from facestudy.synthetic.hair import draw_strands
from facestudy.synthetic.people import LIGHT_SKIN, Colour, Person
from facestudy.synthetic.scenes import Scene

CLOTHS: tuple[Colour, ...] = ((186, 210, 226), (228, 228, 226), (44, 46, 52), (150, 186, 170), (96, 110, 150))


def draw_glasses(canvas: Canvas, person: Person) -> None:
    """Frames in front of the eyes; the lenses are clear."""
    if person.glasses == "none":
        return
    frame: Colour = (32, 28, 30) if person.hair_side > 0 else (104, 66, 44)
    wide = person.eye_width * 1.38
    for side in (-1, 1):
        lens = _lens(side * person.eye_spacing, wide, 0.155, 2.2 if person.glasses == "round" else 4.0)
        lens = lens[lens[:, 1] < 0.03] if person.glasses == "half" else np.concatenate([lens, lens[:1]])
        canvas.line(lens, frame, 0.026, raised=0.08)
        temple = [(side * (person.eye_spacing + wide), -0.02), (side * person.head_width * 0.99, -0.06)]
        canvas.line(temple, frame, 0.026, raised=0.02)
    gap = person.eye_spacing - wide
    canvas.line([(-gap, -0.01), (0, -0.035), (gap, -0.01)], frame, 0.026, raised=0.10)


def draw_sunglasses(canvas: Canvas, person: Person, generator: np.random.Generator) -> None:
    """Dark lenses over both eyes, with a bright streak; the brows stay to be seen."""
    dark = mixed((18, 18, 22), (70, 44, 26), float(generator.random()))
    corners = float(generator.choice([2.3, 4.0]))
    for side in (-1, 1):
        middle = side * (person.eye_spacing + 0.01)
        canvas.polygon(_lens(middle, person.eye_width * 1.52, 0.185, corners), dark, raised=0.08)
        streak = [(middle - 0.09, -0.09), (middle - 0.04, -0.11), (middle - 0.10, 0.06), (middle - 0.13, 0.04)]
        canvas.polygon(streak, mixed(dark, (255, 255, 255), 0.22), raised=0.08)
        canvas.line([(side * 0.45, -0.06), (side * person.head_width, -0.08)], dark, 0.035, raised=0.02)
    canvas.line([(-0.14, -0.05), (0.14, -0.05)], dark, 0.035, raised=0.1)


def draw_mask(canvas: Canvas, person: Person, generator: np.random.Generator) -> None:
    """A cloth over nose and mouth, held by bands behind the ears."""
    cloth = CLOTHS[int(generator.integers(len(CLOTHS)))]
    jaw = person.head_width * person.jaw_width
    top = person.nose_length - 0.20
    right = [(0.0, top), (0.28, top + 0.05), (0.88 * person.head_width, top + 0.10), (0.98 * jaw, 0.66)]
    half = smooth([*right, (person.chin_width * 1.1, 0.98), (0.0, 1.06)], closed=False)
    for side in (-1, 1):
        for y in (top + 0.12, 0.62):
            band = [(side * jaw * 0.95, y), (side * person.head_width * 1.02, 0.02)]
            canvas.line(band, mixed(cloth, (0, 0, 0), 0.2), 0.02, surface=False)
    canvas.polygon(np.concatenate([half, half[::-1] * [-1, 1]]), cloth, raised=0.04)
    for y in (0.48, 0.62, 0.76):
        fold = smooth([(-0.38, y - 0.04), (0, y), (0.38, y - 0.04)], closed=False)
        canvas.line(fold, mixed(cloth, (0, 0, 0), 0.16), 0.02, raised=0.06)


def draw_hand(canvas: Canvas, person: Person, scene: Scene, generator: np.random.Generator) -> None:
    """A hand from below: over the cheek and a part of the mouth, or over the whole mouth."""
    skin = mixed(person.skin, LIGHT_SKIN, 0.08)
    x, y = scene.side * (0.42 - 0.30 * scene.cover), float(generator.uniform(0.62, 0.86))
    lean = -scene.side * float(generator.uniform(0.15, 0.5))
    along, across = np.array([np.sin(lean), -np.cos(lean)]), np.array([np.cos(lean), np.sin(lean)])
    origin = np.array([x, y + 0.25])
    palm = [
        (-0.26, 0.22),
        (0.25, 0.22),
        (0.26, 0.0),
        (0.20, -0.3),
        (0.24, -1.1),
        (-0.20, -1.1),
        (-0.22, -0.3),
        (-0.28, 0.0),
    ]
    canvas.soft([origin + a * across + (b - 0.02) * along for a, b in palm], (20, 12, 10), 0.45, 0.05, surface=False)
    canvas.polygon(
        smooth([origin + a * across + b * along for a, b in palm]), mixed(skin, (0, 0, 0), 0.10), surface=False
    )
    for place, length in enumerate((0.40, 0.52, 0.50, 0.38)):
        base = origin + (-0.19 + 0.13 * place) * across + 0.12 * along
        tip = base + along * length + across * 0.035 * (place - 1.5)
        canvas.line([base, tip], mixed(skin, (0, 0, 0), 0.36), 0.165, surface=False)
        canvas.polygon(_round(tip, 0.082), mixed(skin, (0, 0, 0), 0.36), surface=False)
        canvas.line([base, tip], mixed(skin, (0, 0, 0), 0.03 * place), 0.125, surface=False)
        canvas.polygon(_round(tip, 0.062), mixed(skin, (0, 0, 0), 0.03 * place), surface=False)
        nail = tip + along * 0.005
        canvas.polygon(_round(nail, 0.034), mixed(skin, (255, 215, 210), 0.45), surface=False)


def draw_hair_across(canvas: Canvas, person: Person, scene: Scene, generator: np.random.Generator) -> None:
    """Hair that falls over one eye and cheek, further with the scene's cover."""
    width, side = person.head_width, scene.side
    colour = person.hair_colour
    reach = 0.42 - 0.32 * scene.cover
    shape = smooth(
        [
            *((-0.2 * side * width, -1.0), (side * width * 0.9, -0.95), (side * width * 1.12, -0.2)),
            *((side * width * 1.08, 0.55), (side * (reach + 0.28), 0.5), (side * (reach + 0.06), 0.1)),
            (side * (reach - 0.04), -0.4),
        ]
    )
    canvas.soft(shape + np.array([0, 0.04]), (10, 8, 8), 0.4, 0.05, surface=False)
    canvas.polygon(shape, colour, surface=False)
    share = generator.uniform(0, 1, 24)
    top = np.stack([side * (-0.1 + 0.8 * share) * width, np.full(24, -0.95)], axis=1)
    end = np.stack([side * (reach + (width * 1.05 - reach) * share), generator.uniform(0.2, 0.52, 24)], axis=1)
    draw_strands(canvas, top, (top + end) / 2 + [0.05 * side, 0], end, colour, generator)


def _lens(x: float, half_width: float, half_height: float, power: float) -> np.ndarray:
    """A superellipse around (x, 0.01); the higher the power, the squarer."""
    angles = np.linspace(0.08 * np.pi, 2.08 * np.pi, 24, endpoint=False)
    cos, sin = np.cos(angles), np.sin(angles)
    across = np.sign(cos) * np.abs(cos) ** (2 / power) * half_width
    return np.stack([x + across, 0.01 + np.sign(sin) * np.abs(sin) ** (2 / power) * half_height], axis=1)


def _round(middle: np.ndarray, radius: float) -> np.ndarray:
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    return middle + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
