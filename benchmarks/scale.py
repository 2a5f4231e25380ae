"""The whole pipeline but for the trainings' length, at growing numbers of pictures.

`make bench ARGS=scale` measures 1,000, 10,000 and 50,000 pictures; two epochs of one small variant at 32 px. Drawn
faces are taken again and again, each turned, moved, resized and lit at random.
"""

import json
import os
import subprocess
import sys
import time
from contextlib import chdir, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import psutil
from joblib import Parallel, cpu_count, delayed
from PIL import Image, ImageEnhance

from facestudy.project import parameters
from facestudy.synthetic import photo_sets
from tests.inputs import write_params

ROOT = Path(__file__).parents[1]
PICTURES = (1000, 10_000, 50_000)
ARCH = "shufflenet_v2_x0_5"
SECONDS = 0.1  # between two looks at a stage's memory
# A `python` that notes how long each stage's process lives, and the largest anonymous memory of all below it.
WATCHED = """#!{python}
import sys
sys.path.insert(0, {root!r})
from benchmarks.scale import watch
sys.exit(watch({python!r}, sys.argv[1:], {notes!r}))
"""
Row = dict[str, Any]


def watch(python: str, arguments: list[str], notes: str) -> int:
    """Run a stage, append a line of JSON about it to the notes, and return its exit status."""
    began, peak = time.time(), 0
    process = psutil.Popen([python, *arguments])
    while process.poll() is None:
        with suppress(psutil.NoSuchProcess):
            peak = max(peak, sum(anonymous(each) for each in [process, *process.children(recursive=True)]))
        time.sleep(SECONDS)
    line = {"stage": arguments[1].removeprefix("stages."), "seconds": time.time() - began, "memory": peak}
    with Path(notes).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    return int(process.returncode)


def anonymous(process: psutil.Process) -> int:
    """Bytes of anonymous memory of a process; 0 where it has ended."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return 0
    fields = dict(line.partition(":")[::2] for line in status.splitlines())
    return int(fields.get("RssAnon", "0").split()[0]) * 1024


def measure(counts: tuple[int, ...] = PICTURES) -> list[Row]:
    """Seconds and peak anonymous memory of each stage, one row for each number of pictures."""
    rows = []
    with TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        with chdir(ROOT):
            settings = parameters.load()
        drawn = photo_sets.collect(settings.data.sample, settings.seed, folder / "drawn")
        for count in counts:
            photos = folder / f"{count}"
            _photos(drawn, folder / "drawn", photos, count)
            rows.append({"pictures": count} | _run(photos, folder / f"study-{count}"))
            print(f"{count} pictures: {rows[-1]['seconds']:.0f} s", flush=True)
    return rows


def _photos(drawn: pd.DataFrame, source: Path, target: Path, count: int) -> None:
    """A folder of COUNT pictures with their labels, all different."""
    (target / "images").mkdir(parents=True)
    files = [str(drawn["file"].iloc[number % len(drawn)]) for number in range(count)]
    work = (delayed(_changed)(source / file, target / "images", number) for number, file in enumerate(files))
    Parallel(n_jobs=cpu_count(), batch_size=100)(work)
    table = pd.DataFrame({"file": [f"{number:06d}.jpg" for number in range(count)]})
    table["person"] = [f"p{number // 4}" for number in range(count)]
    table["face"] = ["target" if number % 5 == 0 else "other" for number in range(count)]
    table.to_csv(target / "labels.csv", index=False)


def _changed(source: Path, folder: Path, number: int) -> None:
    generator = np.random.default_rng(number)
    image: Image.Image = Image.open(source)
    image = image.rotate(
        generator.uniform(-35, 35), Image.Resampling.BILINEAR, fillcolor=tuple(generator.integers(256, size=3))
    )
    left, top = generator.uniform(0, 0.2, 2) * image.width
    side = generator.uniform(0.75, 0.8) * image.width
    image = image.crop((round(left), round(top), round(left + side), round(top + side))).resize((128, 128))
    image = ImageEnhance.Brightness(image).enhance(generator.uniform(0.6, 1.4))
    image.save(folder / f"{number:06d}.jpg", quality=90)


def _run(photos: Path, clone: Path) -> Row:
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    (clone / "dvc.lock").unlink()
    no_file = {"path": None, "sha256": None}
    settings = {"rounds": [{"size": 32, "epochs": 1}], "imagenet": "IMAGENET1K_V1", "file": no_file}
    changes: dict[str, Any] = {
        "data.source": "folder",
        "data.folder.path": str(photos),
        "tasks.emotion": "DELETE",
        "weights.pretrain.people": 6,
        "weights.pretrain.pictures": 60,
        "weights.architectures": {ARCH: settings},
        "preprocess.size": 32,
        "challenges.strengths": [1],
        "variants.vgg16": "DELETE",
        "variants.resnet18_pretrained": "DELETE",
        "variants.resnet18_scratch.arch": ARCH,
        "variants.resnet18_scratch.epochs": {"face": 2},
        "variants.resnet18_scratch.batch_size": 64,
    }
    write_params(clone, changes)
    python, notes = clone.parent / f"bin-{clone.name}" / "python", clone.parent / f"{clone.name}.jsonl"
    python.parent.mkdir()
    python.write_text(WATCHED.format(python=sys.executable, root=str(ROOT), notes=str(notes)), encoding="utf-8")
    python.chmod(0o755)
    path = f"{python.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "WANDB_MODE": "offline"}
    began = time.perf_counter()
    done = subprocess.run(["dvc", "repro"], cwd=clone, env=environment, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"dvc repro in {clone}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    stages = [json.loads(line) for line in notes.read_text(encoding="utf-8").splitlines()]
    return {"seconds": seconds, "outside": seconds - sum(each["seconds"] for each in stages), "stages": stages}
