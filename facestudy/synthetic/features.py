"""Head, ears, eyes, brows, nose, mouth and beard, each drawn flat; `shading` gives them their form."""

import numpy as np
from PIL import ImageDraw

from facestudy.synthetic.canvas import Canvas, mirrored, mixed, smooth
from facestudy.synthetic.expressions import Expression
from facestudy.synthetic.people import Colour, Person

BLACK: Colour = (14, 10, 10)


def head_outline(person: Person, face: Expression) -> np.ndarray:
    """The outline (N, 2) of the head without ears and hair; an open mouth lowers the chin."""
    width, drop = person.head_width, 0.55 * face.opening
    jaw = width * person.jaw_width
    right = [
        *((0.0, -1.0), (0.50 * width, -0.94), (0.86 * width, -0.68), (width, -0.25)),
        *((0.98 * width + person.cheek, 0.14), (0.5 * (width + jaw) * 0.97, 0.44), (jaw * 0.88, 0.66 + 0.6 * drop)),
        *((person.chin_width, 0.92 + drop), (0.5 * person.chin_width, 0.99 + drop), (0.0, 1.0 + drop)),
    ]
    return smooth(mirrored(right))


def draw_body(canvas: Canvas, person: Person, clothes: Colour) -> None:
    """Neck and shoulders."""
    neck = mixed(person.skin, BLACK, 0.35)
    jaw = person.head_width * person.jaw_width * 0.74
    canvas.polygon(
        smooth(mirrored([(0, 1.15), (jaw + 0.62, 1.38), (jaw + 1.1, 1.75), (1.2, 3), (0, 3)])), clothes, surface=False
    )
    canvas.polygon([(-jaw, 0.5), (jaw, 0.5), (jaw + 0.05, 1.32), (0, 1.55), (-jaw - 0.05, 1.32)], neck, surface=False)


def draw_head(canvas: Canvas, person: Person, face: Expression) -> None:
    """Ears and head, with the blush of the cheeks."""
    skin = person.skin
    for side in (-1, 1):
        x = side * (person.head_width + person.ear_spread * 0.6)
        ear = smooth(
            [
                *((x - side * 0.06, -0.12), (x + side * 0.09, -0.16), (x + side * 0.12, 0.02)),
                *((x + side * 0.04, 2 * person.ear_size - 0.05), (x - side * 0.06, person.ear_size)),
            ]
        )
        canvas.polygon(ear, mixed(skin, (150, 60, 50), 0.15), surface=False)
        canvas.line(
            smooth([(x + side * 0.03, -0.08), (x + side * 0.07, 0.0), (x + side * 0.02, 0.14)], closed=False),
            mixed(skin, BLACK, 0.35),
            0.02,
            surface=False,
        )
    canvas.polygon(head_outline(person, face), skin, surface=False)
    for side in (-1, 1):
        blush = [(side * 0.42 + 0.15 * np.cos(a), 0.30 + 0.11 * np.sin(a)) for a in np.linspace(0, 6.28, 12)]
        canvas.polygon(blush, mixed(skin, (205, 90, 80), 0.07))


def draw_marks(canvas: Canvas, person: Person, face: Expression, generator: np.random.Generator) -> None:
    """Freckles, a mole, and the lines of age and of the expression."""
    skin = person.skin
    if person.freckles > 0.8 and person.skin_tone < 0.4:
        for x, y in generator.normal((0, 0.24), (0.27, 0.08), (24, 2)):
            canvas.polygon(_disc(x, y, 0.012, 6), mixed(skin, (120, 60, 30), 0.4))
    if person.mole:
        canvas.polygon(_disc(*person.mole, 0.022, 8), mixed(skin, (60, 30, 20), 0.75))
    line = mixed(skin, BLACK, 0.30)
    fold = 0.25 * person.age + 0.75 * max(0.0, face.cheeks)
    if fold > 0.15:
        for side in (-1, 1):
            nose, mouth = person.nose_width + 0.02, person.mouth_width * (1 + face.width) + 0.05
            points = [
                (nose, person.nose_length - 0.03),
                (mouth, person.mouth_height - 0.09),
                (mouth + 0.01, person.mouth_height + 0.03),
            ]
            canvas.soft(
                _sided(smooth([*points, (mouth - 0.03, person.mouth_height - 0.05)]), side),
                line,
                min(1.0, 0.35 + 0.5 * fold),
                0.012,
            )
    raised = max(0.0, face.outer_brow + face.inner_brow)
    if raised > 0.07 or person.age > 0.75:
        for y in (-0.52, -0.44):
            canvas.line(
                smooth([(-0.28, y + 0.015), (0, y), (0.28, y + 0.015)], closed=False),
                mixed(skin, BLACK, 0.16 + raised),
                0.014,
            )
    if face.inner_brow < -0.03:
        for side in (-1, 1):
            top = -person.brow_height - 0.10
            canvas.line(
                [(side * 0.045, top), (side * 0.035, -person.brow_height + 0.09)], mixed(skin, BLACK, 0.32), 0.016
            )


def draw_eyes(canvas: Canvas, person: Person, face: Expression, gaze: tuple[float, float]) -> None:
    """Eyeballs clipped by the lids, lid lines and lashes; the whites are grey, as in a socket's shade."""
    skin, half = person.skin, person.eye_width
    opening = half * person.eye_openness * max(0.22, 1 + face.lids)
    lower = opening * 0.72 * max(0.15, 1 - 1.6 * max(0.0, face.lower_lid)) if face.lids < 0.2 else opening * 0.8
    uppers, lowers = [], []
    for side in (-1, 1):
        t = np.linspace(-1, 1, 11)  # from the inner to the outer corner
        x = person.eye_spacing + t * half
        slope = -person.eye_tilt * half * t
        droop = 0.25 * opening * max(0.0, face.inner_brow - face.outer_brow) / 0.12 * (t - 0.2)  # sad lids hang outside
        uppers.append(
            np.stack([side * x, slope - opening * (1 - np.abs(t - 0.08) ** 2.3).clip(0) + np.maximum(droop, 0)], axis=1)
        )
        lowers.append(np.stack([side * x, slope + lower * (1 - t**2)], axis=1))
    shapes = [np.concatenate([upper, bottom[::-1]]) for upper, bottom in zip(uppers, lowers, strict=True)]
    mask = canvas.mask(shapes)
    eyeballs = canvas.image.copy()
    balls = Canvas(canvas.view, eyeballs, canvas.layer)
    for side, shape in zip((-1, 1), shapes, strict=True):
        centre = (side * person.eye_spacing + gaze[0] * half, -0.012 + gaze[1] * half)
        balls.polygon(shape * [1.0, 1.15], mixed((196, 188, 182), skin, 0.22))
        radius = half * person.iris * 0.74
        balls.polygon(_disc(*centre, radius, 16), mixed(person.eye_colour, BLACK, 0.45))
        balls.polygon(_disc(*centre, radius * 0.8, 14), person.eye_colour)
        balls.polygon(_disc(*centre, radius * 0.48, 12), BLACK)
        balls.polygon(_disc(centre[0] - 0.025, centre[1] - 0.03, 0.018, 6), (235, 235, 235))
    canvas.image.paste(eyeballs, mask=mask)
    canvas.pen = ImageDraw.Draw(canvas.image)
    for upper, bottom in zip(uppers, lowers, strict=True):
        canvas.line(upper - [0, 0.035 + 0.35 * opening], mixed(skin, BLACK, 0.34), 0.018)
        canvas.line(bottom, mixed(skin, (90, 40, 35), 0.45), 0.016)
        canvas.line(upper, mixed(skin, BLACK, 0.86), 0.034)
        canvas.line(bottom + np.array([0, 0.055]), mixed(skin, BLACK, 0.12 + 0.14 * person.age), 0.02)


def draw_brows(canvas: Canvas, person: Person, face: Expression) -> None:
    """Brows as tapered strokes along a bent spine."""
    colour = mixed(mixed(person.hair_colour, BLACK, 0.45), person.skin, 0.12)
    for side in (-1, 1):
        t = np.linspace(0, 1, 7)  # from the inner to the outer end
        inner = person.eye_spacing - 0.55 * person.brow_length - face.brow_pinch
        x = inner + t * (person.brow_length * 1.25 + face.brow_pinch * 0.5)
        rise = face.inner_brow * (1 - t) ** 1.3 + face.outer_brow * t
        y = -person.brow_height - person.brow_arch * np.sin(np.pi * t**1.25) - person.brow_slant * (t - 0.5) - rise
        thick = person.brow_thickness * np.array([0.85, 1.05, 1.0, 0.9, 0.75, 0.5, 0.15])
        spine = np.stack([side * x, y], axis=1)
        above, below = spine - np.stack([0 * t, thick], axis=1), spine + np.stack([0 * t, thick * 0.8], axis=1)
        canvas.polygon(np.concatenate([above, below[::-1]]), colour)


def draw_nose(canvas: Canvas, person: Person) -> None:
    """Nostrils and wings; the ridge comes from the shading."""
    skin, width, tip = person.skin, person.nose_width, person.nose_length
    for side in (-1, 1):
        wing = [
            (width * 0.80, tip - 0.10),
            (width * 1.02, tip - 0.03),
            (width * 0.92, tip + 0.03),
            (width * 0.6, tip + 0.03),
        ]
        canvas.line(_sided(smooth(wing, closed=False), side), mixed(skin, BLACK, 0.30), 0.018, raised=0.06)
        nostril = [
            (width * 0.25, tip + 0.035),
            (width * 0.5, tip + 0.0),
            (width * 0.74, tip + 0.025),
            (width * 0.5, tip + 0.05),
        ]
        canvas.polygon(_sided(smooth(nostril), side), mixed(skin, BLACK, 0.68), raised=0.09)
    canvas.line(
        [(-width * 0.22, tip + 0.055), (width * 0.22, tip + 0.055)], mixed(skin, BLACK, 0.28), 0.018, raised=0.12
    )


def draw_mouth(canvas: Canvas, person: Person, face: Expression) -> None:
    """Lips around an opening, with teeth; corners go up and down by the expression."""
    half = person.mouth_width * (1 + face.width)
    lift = face.corners + person.mouth_rest
    t = np.linspace(-1, 1, 15)
    bend = np.abs(t) ** 1.7
    middle = person.mouth_height + 0.35 * lift - lift * bend
    lip = person.lip_thickness * (1 - max(-0.3, face.press))
    square = 2.0 if face.teeth < 0.95 else 3.0
    gap = face.opening * (1 - np.abs(t) ** square)
    top, bottom = middle - 0.35 * gap, middle + 0.65 * gap
    cupid = 0.78 + 0.22 * np.cos(np.pi * (np.abs(t) / 0.24 - 1)) * (np.abs(t) < 0.48)
    upper = top - lip * 0.75 * (1 - np.abs(t) ** 2.2) * cupid
    lower = bottom + lip * 1.05 * (1 - np.abs(t) ** 2.4)
    x = t * half
    colour = mixed(person.skin, (150, 48, 56), 0.55 if person.skin_tone < 0.6 else 0.42)
    canvas.polygon(_band(x, upper, bottom), mixed(colour, BLACK, 0.14), raised=0.03)
    canvas.polygon(_band(x, top, lower), mixed(colour, (255, 190, 180), 0.10), raised=0.03)
    if face.opening > 0.012:
        canvas.polygon(_band(x, top, bottom), (62, 20, 24), raised=0.02)
        if face.teeth > 0.1:
            edge = top + gap * (0.85 if face.teeth > 0.8 else 0.42)
            inside = np.abs(t) < 0.9
            canvas.polygon(_band(x[inside], top[inside], edge[inside]), (222, 216, 204), raised=0.02)
        canvas.line(np.stack([x, top], axis=1), mixed(colour, BLACK, 0.55), 0.014, raised=0.03)
    else:
        canvas.line(np.stack([x * 1.02, middle], axis=1), mixed(colour, BLACK, 0.75), 0.034, raised=0.03)
    for side in (-1, 1):
        corner = (side * half * 1.03, person.mouth_height - 0.65 * lift)
        canvas.polygon(_disc(*corner, 0.022, 8), mixed(person.skin, BLACK, 0.42), raised=0.02)


def draw_beard(canvas: Canvas, person: Person, face: Expression) -> None:
    """Stubble, moustache, goatee or full beard, soft at the edges and under the mouth."""
    if person.beard == "none":
        return
    drop, mouth, jaw = 0.55 * face.opening, person.mouth_height, person.head_width * person.jaw_width
    colour = mixed(person.hair_colour, person.skin, 0.15)
    tip = person.nose_length
    half = person.mouth_width * (1 + 0.6 * face.width) + 0.05
    moustache = [
        (0.0, tip + 0.085),
        (0.5 * half, tip + 0.10),
        (half, mouth - 0.02 - face.corners),
        (half + 0.03, mouth + 0.06),
        (0.6 * half, mouth - 0.035),
        (0.0, mouth - 0.04),
    ]
    full = [
        *((0.0, mouth + 0.10 + drop), (0.6 * half, mouth + 0.07 + drop), (half + 0.02, mouth - 0.08)),
        *((person.head_width * 0.80, 0.30), (person.head_width * 0.96, 0.0), (person.head_width * 0.99, 0.2)),
        *((0.5 * (person.head_width + jaw) * 0.98, 0.47), (jaw * 0.92, 0.72 + drop), (person.chin_width, 0.95 + drop)),
        (0.0, 1.06 + drop),
    ]
    goatee = [
        (0.0, mouth + 0.11 + drop),
        (0.14, mouth + 0.10 + drop),
        (half + 0.04, mouth - 0.02),
        (half + 0.04, mouth + 0.12 + drop),
        (0.2, 0.98 + drop),
        (0.0, 1.05 + drop),
    ]
    strength = 0.32 if person.beard == "stubble" else 0.92
    shapes = {
        "moustache": [moustache],
        "goatee": [moustache, goatee],
        "full": [moustache, full],
        "stubble": [moustache, full],
    }
    for shape in shapes[person.beard]:
        canvas.soft(mirrored(smooth(shape, closed=False)), colour, strength, 0.022)


def _band(x: np.ndarray, above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.concatenate([np.stack([x, above], axis=1), np.stack([x, below], axis=1)[::-1]])


def _disc(x: float, y: float, radius: float, corners: int) -> np.ndarray:
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    return np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], axis=1)


def _sided(points: np.ndarray, side: int) -> np.ndarray:
    return points * [side, 1]
