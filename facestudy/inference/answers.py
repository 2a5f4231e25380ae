"""Every face of a photo, and how the exported models classify it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from facestudy.contracts.scores import Scores
from facestudy.contracts.study import Study
from facestudy.errors import StudyError
from facestudy.exports.exported import Exported
from facestudy.faces import cropping
from facestudy.faces.detection import detector_for
from facestudy.faces.searching import search
from facestudy.project import paths
from facestudy.project.files import Unavailable, read_result
from facestudy.project.sections import Preprocess

CHUNK = 16  # photos of a work item
NO_FACE, SEVERAL_FACES = "no face found", "several faces found"


@dataclass(frozen=True)
class Answer:
    """One model's classification of a face: the most probable class, and the calibrated probability of each."""

    task: str
    variant: str
    label: str
    probability: float
    probabilities: dict[str, float]


@dataclass(frozen=True)
class AnsweredFace:
    """A face: its box in pixels of the upright photo (x, y, width, height), and the answers, model by model.

    Where training took the whole photo (`preprocess.no_face`, `several_faces`), it is that. `crop` is what the networks
    get, uint8 (size, size, 3) in RGB.
    """

    box: tuple[int, int, int, int]
    whole: str  # why it is the whole photo (NO_FACE, SEVERAL_FACES), or empty
    crop: NDArray[np.uint8]
    answers: list[Answer]


@dataclass(frozen=True)
class Photo:
    """A photo with its faces, the largest first, or the reason why it cannot be read."""

    path: Path
    faces: list[AnsweredFace]
    problem: str = ""


def load_models(tasks: Sequence[str], variants: Sequence[str], form: str, threads: int = 0) -> list[Exported]:
    """The exported models of these tasks and variants, the first seed of each; `form` is onnx or int8.

    Each works on this many threads (0: one for each core).

    No tasks: every one of the study. No variants: of each task the one with the best validation accuracy.
    Raises StudyError for a name that the study does not have, and where there is no model.
    """
    study = Study.read()
    for task in tasks:
        study.task(task)
    for variant in variants:
        study.title(variant)
    seed = study.seeds[0]
    models = []
    for task in tasks or study.tasks:
        files = {name: paths.model_metrics(task, name, seed) / "scores.json" for name in study.variants}
        results = {name: read_result(file, Scores) for name, file in files.items()}
        accuracy = {name: result.accuracy for name, result in results.items() if isinstance(result, Scores)}
        reasons = [result.reason for result in results.values() if isinstance(result, Unavailable)]
        if not accuracy and tasks:
            raise StudyError(f"the task {task!r} has no trained model: {reasons[0]}")
        for variant in (variants or [max(accuracy, key=lambda name: accuracy[name])]) if accuracy else []:
            path = paths.exported(task, variant, seed, form)
            if not path.is_file():
                raise StudyError(f"{path} is not there; run `dvc repro`, which exports every model")
            models.append(Exported.load(path, threads))
    if not models:
        raise StudyError("no model was trained: no picture of the study has a label")
    return models


def answer(photos: Sequence[Path], models: Sequence[Exported]) -> Iterator[Photo]:
    """Each photo with its faces and the models' answers, in order; photos are worked on side by side, one on a core.

    Models of one thread each suit that best.
    """
    settings, limit = models[0].metadata.preprocess, models[0].metadata.max_megapixels
    detector_for(settings)  # its faults, before any work
    chunks = [photos[start : start + CHUNK] for start in range(0, len(photos), CHUNK)]
    threads_before = cv2.getNumThreads()
    pool = Parallel(n_jobs=-1, backend="threading", return_as="generator")
    try:
        for answered in pool(delayed(_answered)(chunk, settings, limit, models) for chunk in chunks):
            yield from answered
    finally:
        cv2.setNumThreads(threads_before)


def _answered(
    photos: Sequence[Path], settings: Preprocess, max_megapixels: float, models: Sequence[Exported]
) -> list[Photo]:
    answered = []
    # Where several faces decide what is cropped, they are counted as in training, without the small ones.
    searched = search(photos, settings, max_megapixels, small_too=settings.several_faces != "whole")
    for path, (picture, found, problem) in zip(photos, searched, strict=True):
        faces = []
        whole = "" if problem else _why_whole(len(found), settings)
        for face in [] if whole else found:
            box = (round(face.x), round(face.y), round(face.width), round(face.height))
            faces.append(AnsweredFace(box, "", cropping.face(picture, face, settings.margin, settings.size), []))
        if whole:
            box = (0, 0, picture.shape[1], picture.shape[0])
            faces.append(AnsweredFace(box, whole, cropping.whole(picture, settings.size), []))
        answered.append(Photo(path, faces, problem))
    _add_answers([face for photo in answered for face in photo.faces], models)
    return answered


def _why_whole(faces: int, settings: Preprocess) -> str:
    """Why training took the whole of a photo with so many faces, or empty where it did not."""
    if faces == 0 and settings.no_face == "whole":
        return NO_FACE
    return SEVERAL_FACES if faces > 1 and settings.several_faces == "whole" else ""


def _add_answers(faces: Sequence[AnsweredFace], models: Sequence[Exported]) -> None:
    for model in models if faces else []:
        named = model.metadata
        for face, row in zip(faces, model.probabilities(np.stack([face.crop for face in faces])), strict=True):
            best = int(row.argmax())
            probabilities = dict(zip(named.classes, row.tolist(), strict=True))
            face.answers.append(Answer(named.task, named.variant, named.classes[best], float(row[best]), probabilities))
