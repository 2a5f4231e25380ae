"""How fast a variant trains on the device, against its bare network there."""

import gc
import time
from collections.abc import Callable
from copy import deepcopy
from statistics import median
from typing import Any

import torch
from lightning_fabric import Fabric
from torch.nn import functional as F

from benchmarks.gpu_study import Study
from facestudy.errors import StudyError
from facestudy.models import networks
from facestudy.models.device import fabric_for
from facestudy.models.order import batch_rows
from facestudy.models.prediction import EVALUATION_BATCH
from facestudy.project.sections import Recipe
from facestudy.training.compilation import compiled
from facestudy.training.histograms import Recorder
from facestudy.training.history import History
from facestudy.training.loop import Training
from facestudy.training.optimizers import optimizer_for
from facestudy.training.setup import Setup, prepare

TASK = "face"
EPOCHS = 5  # that are measured, after a first one
Row = dict[str, Any]


def synchronise() -> None:
    """Wait for the GPU, where there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def reset_peak() -> None:
    """Free what an earlier training left, and count the peak of the GPU's memory from here on."""
    gc.collect()  # which happens rarely in a stage's process
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def peak_mb() -> float | None:
    """The peak of the GPU's memory in MB, by torch; None without a GPU."""
    return round(torch.cuda.max_memory_allocated() / 1e6, 1) if torch.cuda.is_available() else None


def speed(study: Study, variant: str, precision: str, compile_it: bool) -> Row:
    """Pictures per second of an epoch, with validation, scores and histograms, and its share of the bare network's.

    The bare network's epoch: forward, backward and step on one batch that lies on the device, and its forward passes
    over as many validation pictures. Where frozen layers run once, the rest alone is trained, on both sides.
    """
    row = {"variant": variant, "precision": precision, "compiled": compile_it}
    if precision == "16-mixed" and not torch.cuda.is_available():
        return row | {"left_out": "needs a GPU"}
    recipe = study.recipe(variant, precision=precision, compile=compile_it)
    epochs = 1 if study.small else EPOCHS
    reset_peak()
    fabric = fabric_for(recipe.precision)
    setup = prepare(fabric, study.packed(TASK), study.classes(TASK), recipe, {}, study.seed)
    training = Training(fabric, setup.trained, recipe)
    history = History(Recorder(setup.network, study.settings.training.histogram_bins), "last", time.perf_counter())
    running = training.epochs(setup.train, setup.validation, 1 + epochs, len(study.classes(TASK)), study.seed)

    def epoch() -> None:
        history.add(next(running), setup.network)

    first, *ours = _timed(epoch, 1 + epochs)
    memory = peak_mb()
    _, *bare = _timed(_bare_epoch(fabric, setup, recipe), 1 + epochs)
    pictures = len(setup.train.labels)
    return row | {
        "pictures_per_second": round(pictures / median(ours), 1),
        "bare_pictures_per_second": round(pictures / median(bare), 1),
        "share": round(median(bare) / median(ours), 3),
        "first_epoch_seconds": round(first, 2),
        "peak_memory_mb": memory,
        "precision_used": str(fabric.strategy.precision.precision),
    }


def _timed(work: Callable[[], None], times: int) -> list[float]:
    seconds = []
    for _ in range(times):
        synchronise()
        began = time.perf_counter()
        work()
        synchronise()
        seconds.append(time.perf_counter() - began)
    return seconds


def _bare_epoch(fabric: Fabric, setup: Setup, recipe: Recipe) -> Callable[[], None]:
    network = deepcopy(setup.trained)
    optimizer = optimizer_for([each for each in network.parameters() if each.requires_grad], recipe)
    run = compiled(network) if recipe.compile else network
    sizes = [len(rows) for rows in batch_rows(torch.arange(len(setup.train.labels)), recipe.batch_size)]
    checked = [len(rows) for rows in torch.split(torch.arange(len(setup.validation.labels)), EVALUATION_BATCH)]
    given, seen = (
        next(data.batches([torch.arange(max(of))], None))
        for data, of in ((setup.train, sizes), (setup.validation, checked))
    )
    labels = setup.train.labels[: max(sizes)]

    def epoch() -> None:
        networks.training_mode(network)
        for size in sizes:
            optimizer.zero_grad()
            with fabric.autocast():
                logits = run(given[:size])
            F.cross_entropy(logits.float(), labels[:size]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        network.eval()
        with torch.no_grad():  # in full precision, as `predict`
            for size in checked:
                run(seen[:size])

    return epoch


def precisions(study: Study, part: str) -> list[Row]:
    """A row for each variant at each precision, or, for the part `compiled`, at its own, compiled.

    One that fails has its error in its row.
    """
    choices = [("auto", True)] if part == "compiled" else [("auto", False), ("32-true", False), ("16-mixed", False)]
    rows: list[Row] = []
    for variant in study.settings.variants:
        for precision, compile_it in choices:
            left_out = "by --small" if compile_it and study.small else ""
            left_out = "no time left" if time.perf_counter() > study.until else left_out
            if left_out:
                row = {"variant": variant, "precision": precision, "compiled": compile_it, "left_out": left_out}
                rows.append(row)
                continue
            try:
                rows.append(speed(study, variant, precision, compile_it))
            except (RuntimeError, StudyError) as error:  # of memory, of the compiler
                rows.append(
                    {"variant": variant, "precision": precision, "compiled": compile_it, "error": str(error)[:300]}
                )
    return rows
