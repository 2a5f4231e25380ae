"""How long `python -m stages.predict` takes: one photo, and a folder against the bare networks."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.machine import spread
from benchmarks.measures import PHOTOS, ROOT, WINDOWS, Row
from stages import paths
from stages.exporting.model import INPUT, OUTPUT, Exported, network_input
from stages.predicting.answers import models

FOLDER_OF = 500  # photos


def photos() -> list[Path]:
    """Real ones where they lie beside the repository, else those of the study."""
    folder = PHOTOS / "images" if PHOTOS.is_dir() else ROOT / paths.RAW / "images"
    return sorted(folder.iterdir())[:FOLDER_OF]


def measure() -> list[Row]:
    """Rows by form, in the repository, whose study has run."""
    rows = []
    for form, flags in {"onnx": [], "int8": ["--int8"]}.items():
        chosen = models([], [], form)
        one = [_seconds(photos()[:1], flags) for _ in range(WINDOWS)]
        pairs = [(_seconds(photos(), flags), _bare(chosen)) for _ in range(WINDOWS)]
        rows.append({
            "form": form, "models": len(chosen), "photos": len(photos()), "one": spread(one),
            "ratio": spread([bare / whole for whole, bare in pairs]),
            "ours": len(photos()) / spread([whole for whole, _ in pairs])["median"],
            "theirs": len(photos()) / spread([bare for _, bare in pairs])["median"],
        })  # fmt: skip
    return rows


def _seconds(files: list[Path], flags: list[str]) -> float:
    """Of a whole call, with its start; the names come on standard input."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "stages.predict", "-", "--json", *flags]
    subprocess.run(command, cwd=ROOT, input="\n".join(map(str, files)).encode(), capture_output=True, check=True)
    return time.perf_counter() - began


def _bare(chosen: list[Exported]) -> float:
    """Seconds of the models' forward passes over as many faces, in batches of 32 that lie in memory."""
    size = chosen[0].about["size"]
    faces = np.random.default_rng(0).integers(0, 256, (32, size, size, 3), dtype=np.uint8)
    batch = network_input(faces, chosen[0].about)
    for model in chosen:
        model.session.run([OUTPUT], {INPUT: batch})
    began = time.perf_counter()
    for _ in range(-(-len(photos()) // len(batch))):
        for model in chosen:
            model.session.run([OUTPUT], {INPUT: batch})
    return time.perf_counter() - began
