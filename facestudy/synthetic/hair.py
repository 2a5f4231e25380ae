"""Hair behind and in front of the head; the outline follows the style, strands give it texture."""

import numpy as np

from facestudy.synthetic.canvas import Canvas, ink, mixed, smooth
from facestudy.synthetic.people import Colour, Person

BEHIND = {"bob": 0.72, "long": 1.45}  # how far down the hair hangs behind the head, face units


def draw_behind(canvas: Canvas, person: Person) -> None:
    """What shows on both sides of the head and above it."""
    width, volume = person.head_width, person.hair_volume
    dark = mixed(person.hair_colour, (0, 0, 0), 0.35)
    if person.hair_style in BEHIND:
        down = BEHIND[person.hair_style]
        right = [(0.0, -1.0 - volume), (0.75 * width, -0.92 - volume), (1.1 * width + volume * 0.6, -0.3)]
        right += [(1.14 * width + volume * 0.8, 0.5 * down), (1.02 * width + volume * 0.6, down), (0.0, down)]
        half = smooth(right, closed=False)
        canvas.polygon(np.concatenate([half, half[::-1] * [-1, 1]]), dark, surface=False)
    elif person.hair_style == "curly":
        _curls(canvas, person, dark, np.linspace(-0.25 * np.pi, 1.25 * np.pi, 15), 1.0)
    elif person.hair_style == "bun":
        angles = np.linspace(0, 2 * np.pi, 16)
        bun = np.stack([0.27 * np.cos(angles), -1.08 - volume + 0.24 * np.sin(angles)], axis=1)
        canvas.polygon(bun, dark, surface=False)


def draw_front(canvas: Canvas, person: Person, generator: np.random.Generator) -> None:
    """The cap of hair over the forehead, from ear to ear."""
    style = person.hair_style
    if style == "bald":
        return
    width = person.head_width
    volume = {"buzz": 0.03, "receding": 0.05, "short": 0.6 * person.hair_volume}.get(style, person.hair_volume)
    colour = mixed(person.hair_colour, person.skin, 0.35) if style == "buzz" else person.hair_colour
    ends = 0.05 if style in {"buzz", "short", "side_part", "receding", "curly"} else 0.0
    outer = [
        (-width * 1.02, ends),
        (-width * 1.05, -0.35),
        (-width * 0.93 - 0.3 * volume, -0.72),
        (-width * 0.55, -0.97 - volume),
    ]
    outer += [(0.0, -1.02 - volume)] + [(-x, y) for x, y in reversed(outer)]
    line = _hairline(person)
    shape = np.concatenate([smooth(outer, closed=False), smooth(line, closed=False)])
    canvas.polygon(shape, colour, surface=False)
    if style == "curly":
        _curls(canvas, person, colour, np.linspace(0.08 * np.pi, 0.92 * np.pi, 9), 0.86)
    if style in BEHIND:
        for side in (-1, 1):
            lock = [(0.80, -0.72), (1.05, -0.4), (1.12, 0.2), (1.06, BEHIND[style] * 0.9), (0.95, 0.3), (0.86, -0.25)]
            canvas.polygon(
                smooth([(side * x * width, y) for x, y in lock]), mixed(colour, (0, 0, 0), 0.12), surface=False
            )
    if style != "buzz":
        _strands(canvas, outer, line, colour, generator)


def _hairline(person: Person) -> list[tuple[float, float]]:
    """Points from the right temple over the forehead to the left one."""
    width, high, side = person.head_width, person.hairline, person.hair_side
    temple = 0.92 * width
    lines: dict[str, list[tuple[float, float]]] = {
        "receding": [(0.72, -0.45), (0.52, -0.86), (0.2, -0.78), (-0.2, -0.78), (-0.52, -0.86), (-0.72, -0.45)],
        "fringe": [
            (0.84, -0.32),
            (0.5, high + 0.19),
            (0.2, high + 0.22),
            (-0.2, high + 0.22),
            (-0.5, high + 0.19),
            (-0.84, -0.32),
        ],
        "side_part": [
            (0.84, -0.42),
            (0.62, high),
            (0.35, high - 0.1),
            (0.0, high + 0.02),
            (-0.4, high + 0.14),
            (-0.84, -0.3),
        ],
        "long": [
            (0.9, -0.25),
            (0.62, high + 0.08),
            (0.2, high - 0.12),
            (0.08, high - 0.16),
            (-0.5, high + 0.1),
            (-0.9, -0.25),
        ],
        "bob": [
            (0.9, -0.25),
            (0.6, high + 0.18),
            (0.2, high + 0.2),
            (-0.2, high + 0.16),
            (-0.6, high + 0.1),
            (-0.9, -0.25),
        ],
    }
    usual = [
        (0.84, -0.42),
        (0.62, high + 0.02),
        (0.25, high - 0.04),
        (-0.25, high - 0.04),
        (-0.62, high + 0.02),
        (-0.84, -0.42),
    ]
    inner = lines.get(person.hair_style, usual)
    if person.hair_style in {"side_part", "long", "bob"} and side < 0:
        inner = [(-x, y) for x, y in reversed(inner)]
    return [(temple, 0.0), *((x * width / 0.9, y) for x, y in inner), (-temple, 0.0)]


def _curls(canvas: Canvas, person: Person, colour: Colour, angles: np.ndarray, reach: float) -> None:
    size = 0.16 + 0.5 * person.hair_volume
    for place, angle in enumerate(angles):
        x = np.cos(angle) * (person.head_width + 0.05) * reach
        y = -0.30 - np.sin(angle) * (0.68 + 0.4 * person.hair_volume) * reach
        around = np.linspace(0, 2 * np.pi, 12)
        curl = np.stack([x + size * np.cos(around), y + size * np.sin(around)], axis=1)
        canvas.polygon(curl, mixed(colour, (0, 0, 0) if place % 2 else (255, 255, 255), 0.06), surface=False)


def _strands(
    canvas: Canvas,
    outer: list[tuple[float, float]],
    line: list[tuple[float, float]],
    colour: Colour,
    generator: np.random.Generator,
) -> None:
    """Lighter and darker strands from the crown to the hairline."""
    over, under = smooth(outer, closed=False), smooth(line[::-1], closed=False)
    share = generator.uniform(0.08, 0.92, 40)
    top = over[(share * (len(over) - 1)).astype(int)] * 0.985
    end = under[(share * (len(under) - 1)).astype(int)]
    draw_strands(canvas, top, (top + end) / 2 * [1.06, 1.0], end, colour, generator)


def draw_strands(
    canvas: Canvas, top: np.ndarray, bend: np.ndarray, end: np.ndarray, colour: Colour, generator: np.random.Generator
) -> None:
    """Thin bent lines through three points each, every argument (N, 2), in tones around the colour."""
    t = np.linspace(0, 1, 6)[:, None, None]
    paths = top * (1 - t) ** 2 + bend * 2 * t * (1 - t) + end * t**2
    places = canvas.pixels(paths.reshape(-1, 2), surface=False).reshape(*paths.shape).transpose(1, 0, 2)
    tones = generator.normal(0, 0.09, len(top)).tolist()
    for path, tone in zip(places, tones, strict=True):
        shade = mixed(colour, (255, 240, 225) if tone > 0 else (0, 0, 0), abs(tone) * (0.6 if tone > 0 else 1.3))
        canvas.pen.line(path.ravel().tolist(), fill=(*ink(shade), canvas.layer), width=2)
