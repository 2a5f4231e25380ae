"""What a face does: how brows, eyes and mouth leave their rest for an emotion, in a strength of 0 to 1.

The directions follow the action units of Ekman and Friesen's Facial Action Coding System: happy 6+12,
sad 1+4+15, angry 4+5+7+23, surprise 1+2+5+26.
"""

from dataclasses import dataclass, fields

import numpy as np


@dataclass(frozen=True)
class Expression:
    """Offsets from rest in face units (see people), at full strength for the emotions below."""

    inner_brow: float = 0.0  # raised (+) or lowered (-)
    outer_brow: float = 0.0
    brow_pinch: float = 0.0  # brows drawn together
    lids: float = 0.0  # eyes wider (+) or narrower (-), share of the opening
    lower_lid: float = 0.0  # pushed up by the cheeks, share of the opening
    corners: float = 0.0  # corners of the mouth up (+) or down (-)
    width: float = 0.0  # of the mouth, share
    opening: float = 0.0  # between the lips
    teeth: float = 0.0  # share of the opening
    press: float = 0.0  # lips pressed thin, share
    cheeks: float = 0.0  # raised, deepens the fold beside the nose


FULL = {
    "neutral": Expression(),
    "happy": Expression(0.01, 0.03, 0.0, -0.12, 0.55, 0.19, 0.30, 0.17, 1.0, 0.0, 1.0),
    "sad": Expression(0.15, -0.07, 0.03, -0.30, 0.0, -0.15, -0.12, 0.0, 0.0, -0.10, 0.0),
    "angry": Expression(-0.15, 0.07, 0.07, -0.16, 0.2, -0.05, 0.04, 0.10, 0.9, 0.40, 0.15),
    "surprise": Expression(0.135, 0.125, 0.0, 0.60, -0.10, 0.0, -0.28, 0.25, 0.25, -0.10, 0.0),
}


def expression(emotion: str, strength: float, generator: np.random.Generator) -> Expression:
    """The offsets of an emotion at a strength in 0..1, every one varied a little as faces do.

    Smiles and anger show teeth in some pictures and closed lips in others.
    """
    full = FULL[emotion]
    values = {}
    for field in fields(full):
        value = getattr(full, field.name)
        values[field.name] = value * strength * float(generator.normal(1, 0.12))
    for name, spread in (("inner_brow", 0.007), ("outer_brow", 0.007), ("corners", 0.006), ("lids", 0.05)):
        values[name] += float(generator.normal(0, spread))
    values["teeth"] = full.teeth
    if emotion in {"happy", "angry"} and generator.random() < 0.35:
        values["opening"] = 0.0
    # A mouth a little open says nothing about the emotion: people also speak.
    if emotion in {"neutral", "sad"} and generator.random() < 0.25:
        values["opening"] = float(generator.uniform(0.015, 0.05))
        values["teeth"] = 0.5
    values["opening"] = max(0.0, values["opening"])
    return Expression(**values)
