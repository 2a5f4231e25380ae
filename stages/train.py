"""Train one model: a task, a variant, a seed.

In: data/prepared/<task>/, data/initial_weights/<variant>.safetensors and the variant's parameters.
Out: the checkpoint, the histograms of gradients and parameters, history.csv and epochs.log; beside them
timings/<task>/<variant>/<seed>/train.json, and the run in W&B. While it runs, its state is saved below .resume/.
"""

import time
from collections import deque

import torch
from rich.progress import Progress

from facestudy import tracking
from facestudy.models import checkpoints, networks
from facestudy.models.device import fabric_for
from facestudy.models.metadata import CheckpointMetadata, WeightsMetadata
from facestudy.models.order import batch_rows
from facestudy.models.packed import Packed, class_order
from facestudy.models.pictures import MEAN, STD
from facestudy.project import parameters, paths
from facestudy.project.files import sha256
from facestudy.stage import run
from facestudy.training import outputs, resume
from facestudy.training.histograms import Recorder
from facestudy.training.history import History, log_line
from facestudy.training.launcher import start_under_launcher
from facestudy.training.loop import Training
from facestudy.training.setup import prepare


def train(task: str, variant: str, seed: int) -> None:
    """Train and write everything, or raise StudyError and write no checkpoint.

    A training that was killed continues after the epoch of its last saved state, and ends with the same bytes.
    """
    start_under_launcher(task, variant, seed)
    settings = parameters.read()
    positive, rule, bins = settings.tasks[task].positive, settings.training.epoch, settings.training.histogram_bins
    recipe, epochs = settings.variants[variant].recipe(), settings.variants[variant].epochs[task]
    packed = Packed.read(paths.prepared(task)).for_seed(seed)
    if packed.index.empty:
        outputs.save_empty(task, variant, seed)
        return
    fabric = fabric_for(recipe.precision)
    state = paths.resume(task, variant, seed)
    with resume.lock(state, fabric):
        began = time.perf_counter()  # before the pass through frozen layers, which is a part of the training
        classes = class_order(packed.index["label"], positive)
        tensors, weights = checkpoints.load(paths.initial_weights(variant), WeightsMetadata)
        assert isinstance(weights, WeightsMetadata)
        setup = prepare(fabric, packed, classes, recipe, tensors, seed)
        metadata = CheckpointMetadata(
            task=task, variant=variant, seed=seed, classes=classes, positive=positive, weights=weights.origin,
            recipe=recipe, epochs=epochs, rule=rule, size=packed.size, mean=MEAN, std=STD,
            parameters=networks.count(setup.network), run_id="", kept=0,
        )  # fmt: skip
        inputs = [paths.prepared(task) / name for name in ("images.npy", "index.csv")]
        decisive = [metadata.model_dump_json(), *map(sha256, [*inputs, paths.initial_weights(variant)])]
        run_id = tracking.run_id(task, variant, seed, *decisive)

        training = Training(fabric, setup.trained, recipe)
        history = History(Recorder(setup.network, bins), rule, began)
        unfinished = resume.Unfinished(state, resume.key(fabric, *decisive, bins))
        if unfinished.load(training, history, fabric):
            fabric.print(f"continuing after epoch {training.done} of {epochs}, from the state that was saved there")
        steps = len(batch_rows(torch.arange(len(setup.train.labels)), recipe.batch_size))
        with Progress(transient=True, disable=not fabric.is_global_zero) as progress:
            bar = progress.add_task(f"{variant} {task}", total=steps * epochs, completed=steps * training.done)
            advance = lambda: progress.advance(bar)  # noqa: E731
            running = training.epochs(setup.train, setup.validation, epochs, len(classes), seed, advance)
            if not fabric.is_global_zero:  # of several processes the first alone prints and writes
                deque(running, maxlen=0)
                return
            tracked = tracking.Run(run_id, task, variant, metadata.model_dump(exclude={"run_id", "kept"}), "train")
            for epoch in history.epochs:
                tracked.epoch(epoch.epoch, epoch.model_dump(), history.recorder.of_epoch(epoch.epoch))
            for epoch in running:
                history.add(epoch, setup.network)
                unfinished.save(training, history)
                line = log_line(f"{variant} {task}", epoch, epochs)
                progress.console.print(line, soft_wrap=True, highlight=False, markup=False)
                tracked.epoch(epoch.epoch, epoch.model_dump(), history.recorder.of_epoch(epoch.epoch))
        tracked.close()
        metadata = metadata.model_copy(update={"run_id": run_id})
        outputs.save(history, setup.network, metadata)
        outputs.save_timing(fabric, history.seconds, epochs * len(setup.train.labels), metadata)
        unfinished.delete()


if __name__ == "__main__":
    run(train)
