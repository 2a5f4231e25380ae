"""Train one model: a task, a variant, a seed.

In: data/prepared/<task>/, data/starts/<variant>.safetensors and the variant's parameters.
Out: the checkpoint, the histograms of gradients and parameters, history.csv and epochs.log;
beside them timing.json, and the run in W&B.
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
from stages.training import checkpoints, networks, tracking
from stages.training.histograms import Recorder
from stages.training.learner import prepare
from stages.training.loop import Epoch, batch_rows, fabric_for, fit
from stages.training.pictures import MEAN, STD, Packed, class_order
from stages.writing import write_csv, write_json, write_text

COLUMNS = list(Epoch.__dataclass_fields__)


def train(task: str, variant: str, seed_text: str) -> None:
    """Train and write everything, or raise StudyError and write no checkpoint."""
    seed = seed_of(seed_text)
    training, positive, epochs = read("training", f"tasks.{task}.positive", f"variants.{variant}.epochs.{task}")
    recipe = read_recipe(variant)
    metrics = paths.model_metrics(task, variant, seed)
    packed = Packed.read(paths.prepared(task))
    if packed.index.empty:
        _write_empty(task, variant, seed)
        return

    fabric = fabric_for(recipe.precision)
    classes = class_order(packed.index["label"], positive)
    state, start = checkpoints.load(paths.start(variant))
    began = time.perf_counter()  # before the pass through frozen layers, which is a part of the training
    network, learner, train_part, validation = prepare(fabric, packed, classes, recipe, state, seed)
    steps = len(batch_rows(torch.arange(len(train_part.labels)), recipe.batch_size))
    with Progress(transient=True, disable=not fabric.is_global_zero) as progress:
        bar = progress.add_task(f"{recipe.title} {task}", total=steps * epochs)
        advance = lambda: progress.advance(bar)  # noqa: E731
        fitting = fit(fabric, learner, train_part, validation, recipe, epochs, len(classes), seed, advance)
        if not fabric.is_global_zero:  # of several processes the first alone tells and writes
            deque(fitting, maxlen=0)
            return
        about = {
            "task": task, "variant": variant, "seed": seed, "classes": classes, "positive": positive,
            "weights": start["origin"], "recipe": recipe.model_dump(), "epochs": epochs, "rule": training.epoch,
            "size": packed.size, "mean": MEAN, "std": STD, "parameters": networks.count(network),
        }  # fmt: skip
        fingerprints = [_sha256(paths.prepared(task) / "images.npy"), _sha256(paths.start(variant))]
        about["run_id"] = tracking.run_id(task, variant, seed, json.dumps(about, sort_keys=True), fingerprints)
        run = tracking.Run(about["run_id"], task, variant, about)

        recorder = Recorder(network, training.histogram_bins)
        history: list[Epoch] = []
        lines: list[str] = []
        best: dict[str, Any] = {}
        for epoch in fitting:
            history.append(epoch)
            lines.append(_line(recipe, task, epoch, epochs))
            progress.console.print(lines[-1], soft_wrap=True, highlight=False, markup=False)
            found = tracking.named("gradient", recorder.add("gradient"))
            run.epoch(epoch.epoch, asdict(epoch), found | tracking.named("parameter", recorder.add("parameter")))
            if epoch.epoch == epochs if training.epoch == "last" else epoch.val_accuracy > best.get("accuracy", -1):
                state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
                best = {"accuracy": epoch.val_accuracy, "epoch": epoch.epoch, "state": state}
    seconds = time.perf_counter() - began
    run.close()

    about["kept"] = best["epoch"]
    checkpoints.save(paths.checkpoint(task, variant, seed), best["state"], about)
    parameters = {"parameters": list(recorder.learning)}
    checkpoints.save(paths.histograms(task, variant, seed), recorder.tensors(), parameters)
    write_csv(metrics / "history.csv", pd.DataFrame([asdict(epoch) for epoch in history]))
    write_text(metrics / "epochs.log", "\n".join(lines) + "\n")
    write_json(metrics / "timing.json", _timing(fabric, seconds, epochs * len(train_part.labels)))


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
