"""Drawn photos: the default source, and the people that pretraining looks at. No network, no real person.

Every picture has its own random stream, named by the seed, what it is drawn for, and its place in the
table; so the bytes do not depend on how many processes draw.

Measured on the default set (seed 0, whole pictures at 64 px grey, mean of four stratified 80/20 splits):
PCA(100) with logistic regression 87 % on face (majority 80 %) and 47 % on emotion (chance 20 %); HOG of the
middle with an SVM, one split, 95 % and 89 %. OpenCV's frontal Haar cascade found 150 of 150 uncovered,
well-lit faces. The 2,076 pictures take 11 s on two cores.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from PIL import Image

from stages import dvc_process, params
from stages.drawing.expressions import expression
from stages.drawing.people import Person, look_alike, person
from stages.drawing.picture import draw
from stages.drawing.scenes import OCCLUSIONS, scene

EMOTIONS = ("happy", "sad", "angry", "surprise", "neutral")
LOOK_ALIKE_SHARE = 0.45  # of the pictures of others, where there are look-alikes
PICTURES_OF_A_STRANGER = 4
QUALITY = 92  # of the JPEG files
# A cover hides half of what tells an emotion, but only a part of what tells a person.
EMOTION_OCCLUSIONS = {"none": 0.88, "hand": 0.035, "mask": 0.025, "sunglasses": 0.03, "hair": 0.03}
# First number after the seed in each random stream: what is drawn for one purpose never meets the other.
FACE, EMOTION, PRETRAINING = 1, 2, 3
WHO, PICTURE, TARGET = 1, 2, 3  # second number: a person's features, a picture, the target


@dataclass(frozen=True)
class Order:
    """One picture to draw, and its row of the table."""

    stream: tuple[int, ...]
    file: str
    who: Person
    emotion: str
    size: int
    row: dict[str, str]
    occlusions: dict[str, float]


def collect(settings: params.Sample, seed: int, folder: Path) -> pd.DataFrame:
    """Draw the study's pictures into `folder` as JPEG; returns their table, all text, empty where missing.

    Columns: file, person, face, emotion, then what is true of the picture: light, occlusion, shown (the
    expression, also where it is no label), strength (0..1), origin (target, look_alike, stranger).
    Face pictures have no emotion label and emotion pictures no face label: the tasks hold different
    people. Each emotion picture is of a person of its own, so that none is on both sides of a split.
    """
    orders = [*_face_orders(settings, seed), *_emotion_orders(settings, seed)]
    return _drawn(
        orders, folder, ["file", "person", "face", "emotion", "light", "occlusion", "shown", "strength", "origin"]
    )


def collect_pretraining(
    people: int, pictures: int, emotions: list[str], size: int, seed: int, folder: Path
) -> pd.DataFrame:
    """Draw `pictures` of `people` whom no other stage sees, `size` pixels a side, into `folder` as JPEG.

    Columns, all text: file, person, emotion, light, occlusion. Pictures are spread evenly over people
    and emotions.
    """
    orders = []
    known = {place: person(np.random.default_rng([seed, PRETRAINING, WHO, place])) for place in range(people)}
    for place in range(pictures):
        # Going on by one emotion with each round over the people spreads both evenly.
        who, emotion = place % people, emotions[(place + place // people) % len(emotions)]
        row = {"person": f"pretrain_{who:04d}", "emotion": emotion}
        stream = (seed, PRETRAINING, PICTURE, place)
        orders.append(Order(stream, f"pretrain_{place:05d}.jpg", known[who], emotion, size, row, OCCLUSIONS))
    return _drawn(orders, folder, ["file", "person", "emotion", "light", "occlusion"])


def _face_orders(settings: params.Sample, seed: int) -> Iterator[Order]:
    target = person(np.random.default_rng([seed, FACE, TARGET]))
    alike = round(settings.other_pictures * LOOK_ALIKE_SHARE) if settings.look_alikes else 0
    for place in range(settings.target_pictures + settings.other_pictures):
        other = place - settings.target_pictures
        if other < 0:
            name, who, origin = "target", target, "target"
        elif other < alike:
            number = other % settings.look_alikes
            who = look_alike(target, np.random.default_rng([seed, FACE, WHO, 0, number]))
            name, origin = f"look_alike_{number:02d}", "look_alike"
        else:
            number = (other - alike) // PICTURES_OF_A_STRANGER
            who = person(np.random.default_rng([seed, FACE, WHO, 1, number]))
            name, origin = f"stranger_{number:03d}", "stranger"
        stream = (seed, FACE, PICTURE, place)
        emotion = EMOTIONS[int(np.random.default_rng([*stream, 0]).integers(len(EMOTIONS)))]
        row = {"person": name, "face": "target" if other < 0 else "other", "emotion": "", "origin": origin}
        yield Order(stream, f"face_{place:04d}.jpg", who, emotion, settings.size, row, OCCLUSIONS)


def _emotion_orders(settings: params.Sample, seed: int) -> Iterator[Order]:
    for place in range(settings.emotion_pictures):
        who = person(np.random.default_rng([seed, EMOTION, WHO, place]))
        emotion = settings.emotions[place % len(settings.emotions)]
        row = {"person": f"model_{place:04d}", "face": "", "emotion": emotion, "origin": "stranger"}
        yield Order(
            (seed, EMOTION, PICTURE, place),
            f"emotion_{place:04d}.jpg",
            who,
            emotion,
            settings.size,
            row,
            EMOTION_OCCLUSIONS,
        )


def _drawn(orders: list[Order], folder: Path, columns: list[str]) -> pd.DataFrame:
    folder.mkdir(parents=True, exist_ok=True)
    chunks = [orders[start : start + 100] for start in range(0, len(orders), 100)]
    workers = min(joblib.cpu_count(), len(chunks))
    pool = joblib.Parallel(n_jobs=workers, backend="loky", **dvc_process.workers_end_too())
    rows = pool(joblib.delayed(_draw_all)(chunk, folder) for chunk in chunks)
    return pd.DataFrame([row for chunk in rows for row in chunk], columns=columns, dtype=str)


def _draw_all(orders: list[Order], folder: Path) -> list[dict[str, str]]:
    rows = []
    for order in orders:
        generator = np.random.default_rng(order.stream)
        strength = float(0.6 + 0.4 * generator.beta(1.3, 1.2)) if order.emotion != "neutral" else 0.0
        face = expression(order.emotion, strength, generator)
        around = scene(generator, order.occlusions)
        picture = draw(order.who, face, around, order.size)
        Image.fromarray(picture).save(folder / order.file, quality=QUALITY)
        known = {
            "light": around.light,
            "occlusion": around.occlusion,
            "shown": order.emotion,
            "strength": f"{strength:.2f}",
        }
        rows.append({"file": order.file, **known, **order.row})
    return rows
