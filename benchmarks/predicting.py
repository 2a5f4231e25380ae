"""How long `facestudy predict` takes: one photo, and a folder against the bare networks."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import chdir
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.machine import spread
from benchmarks.measures import ROOT, WINDOWS, Row, study
from facestudy.exports.exported import INPUT, OUTPUT, Exported, network_input
from facestudy.faces import cropping
from facestudy.faces.detection import detector_for
from facestudy.inference.answers import load_models
from facestudy.photos.reading import read
from facestudy.project import paths
from tests.exports import make_exports

PHOTOS = 500
SIZE = 64


def measure() -> list[Row]:
    """Rows by form; a ResNet18 with random weights for each task answers, which takes the time of a trained one."""
    rows = []
    with study(SIZE) as folder:
        photos = [path.absolute() for path in sorted((folder / paths.RAW / "images").iterdir())[:PHOTOS]]
        (folder / "exported").mkdir()
        with chdir(folder / "exported"):
            make_exports(Path(), SIZE)
            for form, flags in {"onnx": [], "int8": ["--int8"]}.items():
                models = load_models([], [], form)
                one = [_seconds(photos[:1], flags) for _ in range(WINDOWS)]
                pairs = [(_seconds(photos, flags), _bare(models, len(photos))) for _ in range(WINDOWS)]
                rows.append({
                    "form": form, "models": len(models), "photos": len(photos), "one": spread(one),
                    "ratio": spread([bare / whole for whole, bare in pairs]),
                    "ours": len(photos) / spread([whole for whole, _ in pairs])["median"],
                    "theirs": len(photos) / spread([bare for _, bare in pairs])["median"],
                    "parts": _parts(photos, models),
                })  # fmt: skip
    return rows


def _seconds(files: list[Path], flags: list[str]) -> float:
    """Of a whole call, with its start; the names come on standard input."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "facestudy.cli", "predict", "-", "--json", *flags]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    names = "\n".join(map(str, files)).encode()
    subprocess.run(command, env=environment, input=names, capture_output=True, check=True)
    return time.perf_counter() - began


def _bare(models: list[Exported], count: int) -> float:
    """Seconds of the models' forward passes over as many faces, in batches of 32 that lie in memory."""
    size = models[0].metadata.size
    faces = np.random.default_rng(0).integers(0, 256, (32, size, size, 3), dtype=np.uint8)
    batch = network_input(faces, models[0].metadata)
    for model in models:
        model.session.run([OUTPUT], {INPUT: batch})
    began = time.perf_counter()
    for _ in range(-(-count // len(batch))):
        for model in models:
            model.session.run([OUTPUT], {INPUT: batch})
    return time.perf_counter() - began


def _parts(photos: list[Path], models: list[Exported]) -> dict[str, float]:
    """CPU milliseconds that each step takes of a photo, all cores together; one step after the other."""
    metadata = models[0].metadata
    settings = metadata.preprocess
    detector = detector_for(settings)
    cv2.setNumThreads(1)
    spent: dict[str, float] = {}

    def timed(step: str, work: Callable[[Any], Any], over: Iterable[Any]) -> list[Any]:
        began = time.process_time()
        results = [work(each) for each in over]
        spent[step] = 1000 * (time.process_time() - began) / len(photos)
        return results

    pictures = timed("reading", lambda path: read(path, metadata.max_megapixels), photos)
    found = timed("finding faces", detector.find_all, pictures)
    pairs = [(picture, face) for picture, faces in zip(pictures, found, strict=True) for face in faces]
    crop = lambda pair: cropping.face(pair[0], pair[1], settings.margin, settings.size)  # noqa: E731
    crops = timed("cropping faces", crop, pairs)
    timed("the models", lambda model: model.probabilities(np.stack(crops)), models)
    return spent
