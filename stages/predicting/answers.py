"""Every face of a photo, and what the exported models say of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from stages import paths
from stages.errors import StudyError
from stages.exporting.model import Exported
from stages.faces import crop
from stages.faces.detect import Face, detector_for
from stages.faces.reading import UnreadablePicture, read
from stages.figures.results import read_json
from stages.params import Preprocess

CHUNK = 16  # photos of a work item


@dataclass(frozen=True)
class Answer:
    """What one model says of a face: the likeliest class, and the calibrated probability of each."""

    task: str
    variant: str
    label: str
    probability: float
    probabilities: dict[str, float]


@dataclass(frozen=True)
class Found:
    """A face: its box in pixels of the upright photo (x, y, width, height), and the answers, model by model.

    `seen` is what the networks see of it, uint8 (size, size, 3) in RGB.
    """

    box: tuple[int, int, int, int]
    answers: list[Answer]
    seen: NDArray[np.uint8]


@dataclass(frozen=True)
class Photo:
    """A photo with its faces, the largest first, or the reason why it cannot be read."""

    path: Path
    faces: list[Found] = field(default_factory=list)
    problem: str = ""


def models(tasks: Sequence[str], variants: Sequence[str], form: str) -> list[Exported]:
    """The exported models of these tasks and variants, the first seed of each.

    No tasks: every one of the study. No variants: of each task the one with the best validation accuracy.
    Raises StudyError for a name that the study does not have, and where a model was not exported.
    """
    study = read_json(paths.STUDY)
    for kind, names in (("tasks", tasks), ("variants", variants)):
        unknown = [name for name in names if name not in study[kind]]
        if unknown:
            raise StudyError(f"{unknown[0]!r} is not among the {kind} of this study: {', '.join(study[kind])}")
    seed = study["seeds"][0]
    found = []
    for task in tasks or study["tasks"]:
        scores = {name: read_json(paths.model_metrics(task, name, seed) / "scores.json") for name in study["variants"]}
        trained = {name: entry["accuracy"] for name, entry in scores.items() if entry.get("reason") is None}
        if not trained and tasks:
            raise StudyError(f"the task {task!r} has no trained model: {next(iter(scores.values()))['reason']}")
        if not trained:
            continue
        for variant in variants or [max(trained, key=lambda name: trained[name])]:
            path = paths.exported(task, variant, seed, form)
            if not path.is_file():
                raise StudyError(f"{path} is not there; run `dvc repro`, which exports every model")
            found.append(Exported.load(path))
    return found


def answer(photos: Sequence[Path], models: Sequence[Exported]) -> Iterator[Photo]:
    """Each photo with its faces and the models' answers, in order; photos are read and searched on every core."""
    settings = Preprocess.model_construct(**models[0].about["preprocess"])
    limit = models[0].about["max_megapixels"]
    detector_for(settings)  # its faults, before any work
    chunks = [photos[start : start + CHUNK] for start in range(0, len(photos), CHUNK)]
    threads_within = cv2.getNumThreads()
    pool = Parallel(n_jobs=-1, backend="threading", return_as="generator")
    try:
        searched = pool(delayed(_search)(chunk, settings, limit) for chunk in chunks)
        for chunk, results in zip(chunks, searched, strict=True):
            yield from _told(chunk, results, models)
    finally:
        cv2.setNumThreads(threads_within)


Search = tuple[list[Face], list[NDArray[np.uint8]], str]


def _search(photos: Sequence[Path], settings: Preprocess, max_megapixels: float) -> list[Search]:
    """Faces of each photo, what the networks see of each, and why a photo cannot be read."""
    cv2.setNumThreads(1)  # photos are searched side by side; within one, threads find faces in any order
    detector = detector_for(settings)
    results: list[Search] = []
    for path in photos:
        try:
            picture = read(path, max_megapixels)
        except UnreadablePicture as error:
            results.append(([], [], str(error)))
            continue
        faces = detector.find_all(picture)
        results.append((faces, [crop.face(picture, face, settings.margin, settings.size) for face in faces], ""))
    return results


def _told(photos: Sequence[Path], results: Sequence[Search], models: Sequence[Exported]) -> Iterator[Photo]:
    crops = [face for _, seen, _ in results for face in seen]
    chances = [model.probabilities(np.stack(crops)) for model in models] if crops else []
    place = 0
    for path, (faces, seen, problem) in zip(photos, results, strict=True):
        found = []
        for face, own in zip(faces, seen, strict=True):
            box = (round(face.x), round(face.y), round(face.width), round(face.height))
            pairs = zip(models, chances, strict=True)
            found.append(Found(box, [_answer(model.about, each[place]) for model, each in pairs], own))
            place += 1
        yield Photo(path, found, problem)


def _answer(about: dict[str, Any], chances: NDArray[np.float64]) -> Answer:
    best = int(chances.argmax())
    probabilities = dict(zip(about["classes"], map(float, chances), strict=True))
    return Answer(about["task"], about["variant"], about["classes"][best], float(chances[best]), probabilities)
