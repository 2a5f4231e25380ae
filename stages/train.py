"""Train one model: a task, a variant, a seed.

In: data/prepared/<task>/, data/starts/<variant>.safetensors and the variant's parameters.
Out: the checkpoint, the histograms of gradients and parameters, history.csv and epochs.log;
beside them timing.json, and the run in W&B. While it lasts, its state after each epoch lies below .resume/.
"""

import hashlib
import json
import resource
import sys
import time
from collections import deque
from dataclasses import asdict
from typing import Any

import pandas as pd
import torch
from lightning_fabric import Fabric
from rich.progress import Progress

from stages import paths
from stages.errors import main, seed_of
from stages.params import Recipe, read, read_recipe
from stages.training import checkpoints, networks, resume, tracking
from stages.training.course import Course
from stages.training.histograms import Recorder
from stages.training.learner import prepare
from stages.training.loop import Epoch, Training, batch_rows, fabric_for
from stages.training.pictures import MEAN, STD, Packed, class_order
from stages.writing import write_csv, write_json, write_text

COLUMNS = list(Epoch.__dataclass_fields__)


def train(task: str, variant: str, seed_text: str) -> None:
    """Train and write everything, or raise StudyError and write no checkpoint.

    A training that was killed goes on after its last finished epoch, and ends with the same bytes.
    """
    seed = seed_of(seed_text)
    training, positive, epochs = read("training", f"tasks.{task}.positive", f"variants.{variant}.epochs.{task}")
    recipe = read_recipe(variant)
    packed = Packed.read(paths.prepared(task)).seen_by(seed)
    if packed.index.empty:
        _write_empty(task, variant, seed)
        return

    fabric = fabric_for(recipe.precision)
    classes = class_order(packed.index["label"], positive)
    unfinished = paths.resume(task, variant, seed)
    with resume.alone(unfinished, fabric):
        state, start = checkpoints.load(paths.start(variant))
        began = time.perf_counter()  # before the pass through frozen layers, which is a part of the training
        network, learner, train_part, validation = prepare(fabric, packed, classes, recipe, state, seed)
        about = {
            "task": task, "variant": variant, "seed": seed, "classes": classes, "positive": positive,
            "weights": start["origin"], "recipe": recipe.model_dump(), "epochs": epochs, "rule": training.epoch,
            "size": packed.size, "mean": MEAN, "std": STD, "parameters": networks.count(network),
        }  # fmt: skip
        read_files = [paths.prepared(task) / "images.npy", paths.prepared(task) / "index.csv", paths.start(variant)]
        fingerprints = [_sha256(path) for path in read_files]
        about["run_id"] = tracking.run_id(task, variant, seed, json.dumps(about, sort_keys=True), fingerprints)
        fitting = Training(fabric, learner, recipe)
        course = Course(Recorder(network, training.histogram_bins))
        key = resume.key({**about, "bins": training.histogram_bins}, fingerprints, fabric)
        if (kept := resume.left_off(unfinished, key, fabric)) is not None:
            fitting.restore(course.restore(*kept), len(course.history))
            fabric.print(f"going on after epoch {fitting.done} of {epochs}, where this training was ended")
        steps = len(batch_rows(torch.arange(len(train_part.labels)), recipe.batch_size))
        with Progress(transient=True, disable=not fabric.is_global_zero) as progress:
            bar = progress.add_task(f"{recipe.title} {task}", total=steps * epochs, completed=steps * fitting.done)
            advance = lambda: progress.advance(bar)  # noqa: E731
            running = fitting.epochs(train_part, validation, epochs, len(classes), seed, advance)
            if not fabric.is_global_zero:  # of several processes the first alone tells and writes
                deque(running, maxlen=0)
                return
            run = tracking.Run(about["run_id"], task, variant, about, stage="train")
            for epoch in course.history:
                run.epoch(epoch.epoch, asdict(epoch), course.recorder.of_epoch(epoch.epoch))
            for epoch in running:
                course.add(epoch, _line(recipe, task, epoch, epochs), time.perf_counter() - began)
                if epoch.epoch == epochs if training.epoch == "last" else epoch.val_accuracy > course.best_accuracy:
                    course.take(epoch, network)
                began = time.perf_counter()
                resume.keep(unfinished, key, *course.state(fitting.state()))
                progress.console.print(course.lines[-1], soft_wrap=True, highlight=False, markup=False)
                run.epoch(epoch.epoch, asdict(epoch), course.recorder.of_epoch(epoch.epoch))
        run.close()
        course.seconds += time.perf_counter() - began
        _write(course, task, variant, seed, about)
        timing = _timing(fabric, course.seconds, epochs * len(train_part.labels))
        write_json(paths.model_metrics(task, variant, seed) / "timing.json", timing)
        resume.forget(unfinished)


def _write(course: Course, task: str, variant: str, seed: int, about: dict[str, Any]) -> None:
    metrics, recorder = paths.model_metrics(task, variant, seed), course.recorder
    checkpoints.save(paths.checkpoint(task, variant, seed), course.best, {**about, "kept": course.best_epoch})
    checkpoints.save(paths.histograms(task, variant, seed), recorder.tensors(), {"parameters": list(recorder.learning)})
    write_csv(metrics / "history.csv", pd.DataFrame([asdict(epoch) for epoch in course.history]))
    write_text(metrics / "epochs.log", "\n".join(course.lines) + "\n")


def _write_empty(task: str, variant: str, seed: int) -> None:
    """The outputs of a training that has no pictures, each with the reason."""
    reason = f"no picture has a label for the task {task}"
    print(reason)
    metrics = paths.model_metrics(task, variant, seed)
    for target in (paths.checkpoint(task, variant, seed), paths.histograms(task, variant, seed)):
        checkpoints.save(target, {}, {"reason": reason})
    write_csv(metrics / "history.csv", pd.DataFrame(columns=COLUMNS))
    write_text(metrics / "epochs.log", "")


def _line(recipe: Recipe, task: str, epoch: Epoch, epochs: int) -> str:
    return (
        f"[{recipe.title} {task}] Epoch {epoch.epoch}/{epochs} | "
        f"Train Loss: {epoch.train_loss:.4f}, Acc: {epoch.train_accuracy:.4f} | "
        f"Val Loss: {epoch.val_loss:.4f}, Acc: {epoch.val_accuracy:.4f}"
    )


def _sha256(path: Any) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _timing(fabric: Fabric, seconds: float, pictures: int) -> dict[str, Any]:
    """Time and memory of a training; on a GPU the memory torch took there, else the process's at its peak."""
    on_gpu = fabric.device.type == "cuda"
    peak = torch.cuda.max_memory_allocated() if on_gpu else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "seconds": round(seconds, 2),
        "pictures_per_second": round(pictures / seconds, 1),
        "peak_memory_mb": round(peak / 1e6, 1),
        "device": torch.cuda.get_device_name() if on_gpu else "cpu",
        "threads": torch.get_num_threads(),
        "processes": fabric.world_size,
    }


if __name__ == "__main__":
    main(train, *sys.argv[1:])
