"""How a face is seen: pose, light, what covers it, what stands behind it, and the camera."""

from dataclasses import dataclass

import numpy as np

LIGHTS = {"bright": 0.22, "normal": 0.44, "side": 0.16, "dim": 0.11, "very_dark": 0.07}
OCCLUSIONS = {"none": 0.80, "hand": 0.06, "mask": 0.04, "sunglasses": 0.05, "hair": 0.05}
WELL_LIT = ("bright", "normal")


@dataclass(frozen=True)
class Scene:
    """One picture's circumstances; angles in radians, lengths as shares of the picture's side."""

    yaw: float
    pitch: float
    roll: float
    scale: float  # half the head's height
    shift: tuple[float, float]
    light: str
    direction: tuple[float, float, float]  # towards the light: right, down, to the viewer
    ambient: float  # share of light without direction
    exposure: float
    warmth: float  # colour of the light, red (+) or blue (-)
    occlusion: str
    side: int  # from where hand and hair come
    cover: float  # in 0..1: how far they reach in
    blur: float  # standard deviation, share of the side
    noise: float  # standard deviation, grey levels
    seed: int  # of what has no meaning: background, strands, grain


def scene(generator: np.random.Generator, occlusions: dict[str, float] = OCCLUSIONS) -> Scene:
    """Draw the circumstances of a picture; `occlusions` gives other odds than OCCLUSIONS (they sum to 1)."""
    light = _named(generator, LIGHTS)
    occlusion = _named(generator, occlusions)
    sideways = {"bright": 0.35, "normal": 0.5, "side": 1.7, "dim": 0.6, "very_dark": 0.7}[light]
    angle = float(generator.choice([-1, 1])) if light == "side" else float(generator.uniform(-1, 1))
    exposure = {
        "bright": generator.uniform(1.12, 1.35),
        "normal": generator.uniform(0.85, 1.1),
        "side": generator.uniform(0.8, 1.05),
        "dim": generator.uniform(0.42, 0.65),
        "very_dark": generator.uniform(0.18, 0.3),
    }[light]
    return Scene(
        yaw=float(np.clip(generator.normal(0, 0.11), -0.3, 0.3)),
        pitch=float(np.clip(generator.normal(0, 0.07), -0.18, 0.18)),
        roll=float(np.clip(generator.normal(0, 0.08), -0.2, 0.2)),
        scale=float(generator.uniform(0.29, 0.4)),
        shift=(float(generator.normal(0, 0.035)), float(generator.normal(0, 0.02))),
        light=light,
        direction=(sideways * angle, float(generator.uniform(-0.75, -0.2)), 1.0),
        ambient=float(generator.uniform(0.16, 0.3)) if light == "side" else float(generator.uniform(0.35, 0.6)),
        exposure=float(exposure),
        warmth=float(generator.normal(0, 0.05)),
        occlusion=occlusion,
        side=int(generator.choice([-1, 1])),
        cover=float(generator.random()),
        blur=float(generator.choice([0.0, generator.uniform(0.002, 0.008)])),
        noise=float(generator.uniform(1.0, 4.0)) if light != "very_dark" else float(generator.uniform(2.5, 5.0)),
        seed=int(generator.integers(2**31)),
    )


def _named(generator: np.random.Generator, odds: dict[str, float]) -> str:
    names = list(odds)
    return names[int(generator.choice(len(names), p=np.array([odds[name] for name in names])))]
