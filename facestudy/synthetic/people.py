"""Who is drawn: the features that stay the same from picture to picture of one person.

Lengths are in face units: half the head's height (crown to chin) is 1, x to the right and y down
from the middle of the head. The eyes lie at y = 0, so the drawing speaks of a face's own frame.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

Colour = tuple[float, float, float]  # red, green, blue in 0..255

# Smallest and largest value of every feature that is a length, an angle (radians) or a share.
RANGES: dict[str, tuple[float, float]] = {
    "head_width": (0.68, 0.82),
    "jaw_width": (0.62, 0.90),
    "chin_width": (0.26, 0.46),
    "cheek": (-0.03, 0.04),
    "eye_spacing": (0.30, 0.375),
    "eye_width": (0.15, 0.195),
    "eye_openness": (0.44, 0.60),
    "eye_tilt": (-0.12, 0.14),
    "iris": (0.58, 0.74),
    "brow_height": (0.22, 0.27),
    "brow_thickness": (0.03, 0.066),
    "brow_arch": (0.01, 0.07),
    "brow_slant": (-0.03, 0.03),
    "brow_length": (0.20, 0.27),
    "nose_length": (0.33, 0.48),
    "nose_width": (0.12, 0.21),
    "bridge": (0.05, 0.09),
    "mouth_height": (0.61, 0.71),
    "mouth_width": (0.25, 0.345),
    "lip_thickness": (0.045, 0.09),
    "mouth_rest": (-0.01, 0.01),
    "ear_size": (0.14, 0.22),
    "ear_spread": (0.00, 0.07),
    "hair_volume": (0.06, 0.22),
    "hairline": (-0.72, -0.50),
    "skin_tone": (0.0, 1.0),
    "skin_warmth": (0.0, 1.0),
    "freckles": (0.0, 1.0),
    "age": (0.0, 1.0),
}
# By these a look-alike differs: a small picture shows them, yet they change few of its pixels.
TELLING = (
    *("head_width", "jaw_width", "chin_width", "eye_spacing", "eye_width", "eye_tilt", "brow_height", "brow_thickness"),
    *("brow_arch", "nose_length", "nose_width", "mouth_height", "mouth_width", "lip_thickness"),
)
HAIR_STYLES = ("short", "side_part", "curly", "fringe", "buzz", "bald", "receding", "bob", "long", "bun")
BEARDS = ("none", "stubble", "moustache", "goatee", "full")
GLASSES = ("none", "round", "square", "half")
HAIR_COLOURS: tuple[Colour, ...] = (
    (28, 23, 22),
    (48, 34, 27),
    (82, 56, 38),
    (121, 84, 52),
    (176, 138, 86),
    (140, 66, 38),
    (128, 124, 122),
    (205, 200, 194),
)
EYE_COLOURS: tuple[Colour, ...] = ((52, 34, 24), (84, 56, 34), (92, 100, 62), (74, 106, 132), (96, 112, 120))
LIGHT_SKIN, MIDDLE_SKIN, DARK_SKIN = (234.0, 190.0, 162.0), (202.0, 150.0, 114.0), (122.0, 80.0, 58.0)


@dataclass(frozen=True)
class Person:
    """One identity; the numbers are explained by RANGES."""

    head_width: float
    jaw_width: float
    chin_width: float
    cheek: float
    eye_spacing: float
    eye_width: float
    eye_openness: float
    eye_tilt: float
    iris: float
    brow_height: float
    brow_thickness: float
    brow_arch: float
    brow_slant: float
    brow_length: float
    nose_length: float
    nose_width: float
    bridge: float
    mouth_height: float
    mouth_width: float
    lip_thickness: float
    mouth_rest: float
    ear_size: float
    ear_spread: float
    hair_volume: float
    hairline: float
    skin_tone: float
    skin_warmth: float
    freckles: float
    age: float
    hair_style: str
    hair_colour: Colour
    hair_side: int
    beard: str
    glasses: str
    eye_colour: Colour
    mole: tuple[float, float] | None

    @property
    def skin(self) -> Colour:
        """Colour of the lit skin."""
        tone = self.skin_tone * 2
        low, high = (LIGHT_SKIN, MIDDLE_SKIN) if tone < 1 else (MIDDLE_SKIN, DARK_SKIN)
        share = tone % 1 if tone < 2 else 1.0
        red, green, blue = (one + (other - one) * share for one, other in zip(low, high, strict=True))
        warmth = (self.skin_warmth - 0.5) * 14
        return red + warmth, green, blue - warmth


def person(generator: np.random.Generator) -> Person:
    """Draw an identity from all that RANGES and the lists above allow."""
    numbers = {
        name: low + (high - low) * float(generator.beta(1.4, 1.4)) if name != "skin_tone" else float(generator.random())
        for name, (low, high) in RANGES.items()
    }
    feminine = generator.random() < 0.5
    style_odds = [2, 2, 2, 3, 0, 0, 0, 4, 4, 3] if feminine else [5, 5, 3, 2, 3, 2, 2, 0, 1, 0]
    beard_odds = [1, 0, 0, 0, 0] if feminine else [5, 3, 1, 1, 2]
    # Light hair on dark skin is rare; the darker the skin, the fewer of the light colours are left.
    colours = HAIR_COLOURS if numbers["skin_tone"] < 0.45 else HAIR_COLOURS[:3] + HAIR_COLOURS[6:7]
    eyes = EYE_COLOURS if numbers["skin_tone"] < 0.45 else EYE_COLOURS[:2]
    mole = None
    if generator.random() < 0.2:
        mole = (float(generator.uniform(0.15, 0.5)) * _sign(generator), float(generator.uniform(0.25, 0.8)))
    return Person(
        **numbers,
        hair_style=_choice(generator, HAIR_STYLES, style_odds),
        hair_colour=_varied(generator, colours[int(generator.integers(len(colours)))]),
        hair_side=_sign(generator),
        beard=_choice(generator, BEARDS, beard_odds),
        glasses=_choice(generator, GLASSES, [7, 1, 1, 1]),
        eye_colour=_varied(generator, eyes[int(generator.integers(len(eyes)))]),
        mole=mole,
    )


def look_alike(model: Person, generator: np.random.Generator, changed: int = 8) -> Person:
    """A person with the hair, skin and most features of `model`.

    `changed` lengths differ, each by 45 to 80 % of its range, and the colours of hair and eyes slightly.
    """
    moved: dict[str, Any] = {}
    for name in generator.choice(TELLING, size=min(changed, len(TELLING)), replace=False).tolist():
        low, high = RANGES[name]
        step = float(generator.uniform(0.45, 0.8)) * (high - low)
        value = getattr(model, name)
        # Away from the nearer end, so that the step fits into the range.
        moved[name] = float(np.clip(value + (step if value < (low + high) / 2 else -step), low, high))
    hair, eyes = _varied(generator, model.hair_colour), _varied(generator, model.eye_colour, spread=15)
    return replace(model, **moved, hair_colour=hair, eye_colour=eyes)


def _choice(generator: np.random.Generator, names: tuple[str, ...], odds: list[int]) -> str:
    return names[int(generator.choice(len(names), p=np.array(odds) / sum(odds)))]


def _sign(generator: np.random.Generator) -> int:
    return 1 if generator.random() < 0.5 else -1


def _varied(generator: np.random.Generator, colour: Colour, spread: float = 6) -> Colour:
    red, green, blue = np.clip(np.array(colour) + generator.normal(0, spread, 3), 5, 250).tolist()
    return red, green, blue
