"""Drawn photos: the default source, and the people for pretraining. No network, no real person.

Every picture has its own random stream, named by the seed, what it is drawn for, and its index in the
table; so the bytes do not depend on how many processes draw.

Measured on the default set (seed 0, whole pictures at 64 px grey, mean of four stratified 80/20 splits):
PCA(100) with logistic regression 87 % on face (majority 80 %) and 47 % on emotion (chance 20 %); HOG of the
middle with an SVM, one split, 95 % and 89 %. OpenCV's frontal Haar cascade found 150 of 150 uncovered,
well-lit faces. The 2,076 pictures take 11 s on two cores.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from PIL import Image

from facestudy import process
from facestudy.project import sections
from facestudy.synthetic.expressions import expression
from facestudy.synthetic.people import Person, look_alike, person
from facestudy.synthetic.picture import draw
from facestudy.synthetic.scenes import OCCLUSIONS, scene

EMOTIONS = ("happy", "sad", "angry", "surprise", "neutral")
LOOK_ALIKE_SHARE = 0.45  # of the pictures of others, where there are look-alikes
PICTURES_OF_A_STRANGER = 4
FAMILY = 6  # people of the pretraining who resemble each other: hair and skin alone then identify nobody
QUALITY = 92  # of the JPEG files
BATCH = 100  # pictures of a work item
COLUMNS = ["file", "person", "face", "emotion", "light", "occlusion", "shown", "strength", "origin"]
PRETRAINING_COLUMNS = ["file", "person", "emotion", "light", "occlusion"]
# A cover hides half of what shows an emotion, but only a part of what identifies a person.
EMOTION_OCCLUSIONS = {"none": 0.88, "hand": 0.035, "mask": 0.025, "sunglasses": 0.03, "hair": 0.03}
# First number after the seed in each random stream: what is drawn for one purpose never meets the other.
FACE, EMOTION, PRETRAINING = 1, 2, 3
WHO, PICTURE, TARGET = 1, 2, 3  # second number: a person's features, a picture, the target


@dataclass(frozen=True)
class Order:
    """One picture to draw, and what its row of the table holds already: `file`, `shown` and more."""

    stream: tuple[int, ...]
    who: Person
    size: int
    occlusions: dict[str, float]
    row: dict[str, str]


def collect(settings: sections.Sample, seed: int, folder: Path) -> pd.DataFrame:
    """Draw the study's pictures into `folder` as JPEG; returns their table, all text, empty where missing.

    Columns: file, person, face, emotion, then what is true of the picture: light, occlusion, shown (the
    expression, also where it is no label), strength (0..1), origin (target, look_alike, stranger).
    Face pictures have no emotion label and emotion pictures no face label: the tasks hold different
    people. Each emotion picture is of a person of its own, so that none is on both sides of a split.
    """
    return _drawn([*_face_orders(settings, seed), *_emotion_orders(settings, seed)], folder, COLUMNS)


def collect_pretraining(
    people: int, pictures: int, emotions: Sequence[str], size: int, seed: int, folder: Path
) -> pd.DataFrame:
    """Draw `pictures` of `people` whom no other stage sees, `size` pixels a side, into `folder` as JPEG.

    Columns, all text: file, person, emotion, light, occlusion. Pictures are spread evenly over people
    and emotions.
    """
    orders = []
    persons = pretraining_people(people, seed)
    for index in range(pictures):
        # Going on by one emotion with each round over the people spreads both evenly.
        number, emotion = index % people, emotions[(index + index // people) % len(emotions)]
        row = {"file": f"pretrain_{index:05d}.jpg", "person": f"pretrain_{number:04d}"}
        row |= {"emotion": emotion, "shown": emotion}
        orders.append(Order((seed, PRETRAINING, PICTURE, index), persons[number], size, OCCLUSIONS, row))
    return _drawn(orders, folder, PRETRAINING_COLUMNS)


def pretraining_people(count: int, seed: int) -> list[Person]:
    """People in families of FAMILY, whose first is drawn freely and whose others are look-alikes of that one."""
    persons: list[Person] = []
    for number in range(count):
        generator = np.random.default_rng([seed, PRETRAINING, WHO, number])
        first = number - number % FAMILY
        persons.append(person(generator) if number == first else look_alike(persons[first], generator))
    return persons


def _face_orders(settings: sections.Sample, seed: int) -> Iterator[Order]:
    target = person(np.random.default_rng([seed, FACE, TARGET]))
    alike = round(settings.other_pictures * LOOK_ALIKE_SHARE) if settings.look_alikes else 0
    for index in range(settings.target_pictures + settings.other_pictures):
        other = index - settings.target_pictures
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
        stream = (seed, FACE, PICTURE, index)
        emotion = EMOTIONS[int(np.random.default_rng([*stream, 0]).integers(len(EMOTIONS)))]
        row = {"file": f"face_{index:04d}.jpg", "person": name, "face": "target" if other < 0 else "other"}
        row |= {"emotion": "", "shown": emotion, "origin": origin}
        yield Order(stream, who, settings.size, OCCLUSIONS, row)


def _emotion_orders(settings: sections.Sample, seed: int) -> Iterator[Order]:
    for index in range(settings.emotion_pictures):
        who = person(np.random.default_rng([seed, EMOTION, WHO, index]))
        emotion = settings.emotions[index % len(settings.emotions)]
        row = {"file": f"emotion_{index:04d}.jpg", "person": f"model_{index:04d}", "face": ""}
        row |= {"emotion": emotion, "shown": emotion, "origin": "stranger"}
        yield Order((seed, EMOTION, PICTURE, index), who, settings.size, EMOTION_OCCLUSIONS, row)


def _drawn(orders: list[Order], folder: Path, columns: list[str]) -> pd.DataFrame:
    folder.mkdir(parents=True, exist_ok=True)
    workers = min(joblib.cpu_count(), math.ceil(len(orders) / BATCH))
    pool = joblib.Parallel(n_jobs=workers, backend="loky", batch_size=BATCH, **process.worker_settings())
    return pd.DataFrame(pool(joblib.delayed(_draw)(order, folder) for order in orders), columns=columns, dtype=str)


def _draw(order: Order, folder: Path) -> dict[str, str]:
    generator = np.random.default_rng(order.stream)
    emotion = order.row["shown"]
    strength = float(0.6 + 0.4 * generator.beta(1.3, 1.2)) if emotion != "neutral" else 0.0
    face = expression(emotion, strength, generator)
    view = scene(generator, order.occlusions)
    picture = Image.fromarray(draw(order.who, face, view, order.size))
    picture.save(folder / order.row["file"], quality=QUALITY)
    return {**order.row, "light": view.light, "occlusion": view.occlusion, "strength": f"{strength:.2f}"}
