"""The project's side of `make bench`, in a folder that preprocess has filled; it answers like contender.py.

    python -m benchmarks.ours VARIANT [key=value ...]

The words it knows, one a line: `epoch` trains an epoch as the train stage does, with histograms, W&B offline and the
log, whose seconds it prints, and with the state that is saved in case it is killed; `bare` the same steps of the bare
network on random tensors in memory; `training` a whole training from the start; `views` the forward passes that a
cache of frozen features needs, on random tensors; `memory` an epoch, with the peak of the process's anonymous memory.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import psutil
import torch
import yaml
from torch.nn import functional as F

from facestudy import tracking
from facestudy.models import networks
from facestudy.models.device import fabric_for
from facestudy.models.order import batch_rows
from facestudy.models.packed import Packed, class_order
from facestudy.models.pictures import LAYOUTS
from facestudy.models.prediction import EVALUATION_BATCH
from facestudy.project import parameters, paths
from facestudy.project.sections import Recipe
from facestudy.training import frozen_features, resume
from facestudy.training.histograms import Recorder
from facestudy.training.history import Epoch, History, log_line
from facestudy.training.loop import Training
from facestudy.training.optimizers import optimizer_for
from facestudy.training.setup import prepare

TASK, MANY = "face", 1000


class Ours:
    """One variant with a running training, and the bare network beside it."""

    def __init__(self, variant: str, changes: dict[str, Any]) -> None:
        self.variant = variant
        settings = parameters.load()
        self.recipe = Recipe.model_validate(settings.variants[variant].recipe().model_dump() | changes)
        self.packed = Packed.read(paths.prepared(TASK))
        self.classes = class_order(self.packed.index["label"], settings.tasks[TASK].positive)
        self.fabric = fabric_for(self.recipe.precision)
        split = self.packed.index["split"]
        self.train, self.validation = int((split == "train").sum()), int((split == "validation").sum())
        self._running: Iterator[Epoch] | None = None
        self._bare: Callable[[], None] | None = None
        self.tracking = self._children = 0.0
        self.parts: dict[str, float] = {}

    def epochs(self, number: int) -> Iterator[Epoch]:
        """A training, epoch by epoch, with what the train stage does after each."""
        setup = prepare(self.fabric, self.packed, self.classes, self.recipe, {}, 0)
        training = Training(self.fabric, setup.trained, self.recipe)
        identity = f"bench-{os.getpid()}-{time.time_ns()}"
        run = tracking.Run(identity, TASK, self.variant, self.recipe.model_dump(), stage="train")
        history = History(Recorder(setup.network, 64), "last", time.perf_counter())
        unfinished = resume.Unfinished(Path(f"{identity}.safetensors"), "")
        spent = [0.0]
        setup.train.batches = timed(setup.train.batches, spent)  # type: ignore[method-assign]
        for epoch in training.epochs(setup.train, setup.validation, number, len(self.classes), 0):
            began = time.perf_counter()
            history.add(epoch, setup.network)
            log_line(self.variant, epoch, number)
            run.epoch(epoch.epoch, epoch.model_dump(), history.recorder.of_epoch(epoch.epoch))
            seconds, children = time.perf_counter() - began, children_seconds()
            # Of W&B's own process what it used since the last epoch, for it works beside the training.
            self.tracking = seconds + children - self._children
            self._children = children
            began = time.perf_counter()
            unfinished.save(training, history)
            self.parts = {"batches": spent[0], "tracking": seconds, "state": time.perf_counter() - began}
            spent[0] = 0.0
            yield epoch
        unfinished.delete()
        run.close()

    def epoch(self) -> None:
        """The next epoch of a long training."""
        self._running = self._running or self.epochs(MANY)
        next(self._running)

    def training(self) -> None:
        """The variant's training from the start, the pass through frozen layers included."""
        for _ in self.epochs(10):
            pass

    def bare(self) -> None:
        """As many steps on batches of the same sizes, and as many validation pictures, without anything around."""
        self._bare = self._bare or self._bare_epoch()
        self._bare()

    def _bare_epoch(self) -> Callable[[], None]:
        network = networks.build(self.recipe.arch, self.recipe.head, len(self.classes), 0, self.recipe.layout)
        optimizer = optimizer_for(list(network.parameters()), self.recipe)
        sizes = [len(rows) for rows in batch_rows(torch.arange(self.train), self.recipe.batch_size)]
        images = self._random(max(*sizes, EVALUATION_BATCH))
        labels = torch.randint(0, 2, (len(images),))
        validation = [len(rows) for rows in torch.split(torch.arange(self.validation), EVALUATION_BATCH)]

        def run() -> None:
            network.train()
            for size in sizes:
                optimizer.zero_grad()
                with self.fabric.autocast():
                    loss = F.cross_entropy(network(images[:size]), labels[:size])
                loss.backward()
                optimizer.step()
            network.eval()
            with torch.no_grad():  # in full precision, as `predict`
                for size in validation:
                    network(images[:size])

        return run

    def views(self) -> None:
        """Forward passes of the frozen layers over two views of each training picture and one of the others."""
        network = networks.build(self.recipe.arch, self.recipe.head, len(self.classes), 0, self.recipe.layout)
        networks.freeze(network, self.recipe.trainable)
        parts = frozen_features.cut(network)
        assert parts is not None
        images = self._random(frozen_features.CHUNK)
        for count, context in (
            (self.train, self.fabric.autocast()),
            (self.train, self.fabric.autocast()),
            (self.validation, nullcontext()),
        ):
            with torch.no_grad(), context:
                for rows in torch.split(torch.arange(count), frozen_features.CHUNK):
                    parts[0].eval()(images[: len(rows)])

    def _random(self, count: int) -> torch.Tensor:
        images = torch.rand(count, 3, self.packed.size, self.packed.size)
        return images.contiguous(memory_format=LAYOUTS[self.recipe.layout])


def timed(function: Callable[..., Any], spent: list[float]) -> Callable[..., Any]:
    """The function, adding the seconds in which it makes what it yields to `spent[0]`."""

    def run(*arguments: Any) -> Iterator[Any]:
        began = time.perf_counter()
        for result in function(*arguments):
            spent[0] += time.perf_counter() - began
            yield result
            began = time.perf_counter()

    return run


def children_seconds() -> float:
    """CPU seconds that this process's children have used so far."""
    return sum(sum(child.cpu_times()[:2]) for child in psutil.Process().children(recursive=True))


def anonymous_memory() -> int:
    """Bytes of this process that no file backs (RssAnon)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith("RssAnon")).split()[1]) * 1024


def peak_memory(work: Callable[[], object]) -> int:
    """The largest anonymous memory while working, measured every 50 ms."""
    sizes, ended = [anonymous_memory()], threading.Event()

    def watch() -> None:
        while not ended.wait(0.05):
            sizes.append(anonymous_memory())

    watcher = threading.Thread(target=watch)
    watcher.start()
    work()
    ended.set()
    watcher.join()
    return max(sizes)


def serve(ours: Ours) -> None:
    """Answer one word after another."""
    for line in sys.stdin:
        word = line.strip()
        if not word:
            return
        began, memory = time.perf_counter(), None
        if word == "memory":
            memory = peak_memory(ours.epoch)
        else:
            getattr(ours, word)()
        answer: dict[str, Any] = {"seconds": time.perf_counter() - began, "pictures": ours.train, "memory": memory}
        answer |= {"tracking": ours.tracking, "parts": ours.parts}
        print("@@" + json.dumps(answer), flush=True)


if __name__ == "__main__":
    os.environ.setdefault("WANDB_MODE", "offline")
    given = dict(argument.split("=", 1) for argument in sys.argv[2:])
    serve(Ours(sys.argv[1], {key: yaml.safe_load(value) for key, value in given.items()}))
