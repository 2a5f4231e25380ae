"""What must hold on a GPU: nothing waits, the same training gives the same bytes, a kill changes nothing."""

import os
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from benchmarks.gpu_speed import TASK, Row, peak_mb, reset_peak, synchronise
from benchmarks.gpu_study import ROOT, Study
from facestudy.models import checkpoints
from facestudy.models.device import fabric_for
from facestudy.models.metadata import CheckpointMetadata
from facestudy.models.order import batch_rows
from facestudy.models.packed import Packed
from facestudy.models.pictures import Pictures
from facestudy.models.prediction import predict
from facestudy.models.trained import trained as network_of
from facestudy.project import paths
from facestudy.project.sections import Round
from facestudy.training.frozen_features import Features, cut
from facestudy.training.loop import Training
from facestudy.training.setup import Setup, prepare
from facestudy.weights.pretraining import held_out_of, pretrain
from stages.evaluate import evaluate
from stages.train import train

COMPARED = 64  # validation pictures whose probabilities are compared
KILLED = "resnet18_scratch"


def models(study: Study) -> list[Row]:
    """Each model trained and scored by the stages' own functions: a row a model, with its seconds."""
    rows = []
    for task in study.settings.tasks:
        for variant in study.settings.variants:
            reset_peak()
            began = time.perf_counter()
            train(task, variant, study.seed)
            halfway = time.perf_counter()
            memory = peak_mb()
            evaluate(task, variant, study.seed)
            ended = time.perf_counter()
            seconds = {"train": round(halfway - began, 2), "evaluate": round(ended - halfway, 2)}
            rows.append({"task": task, "variant": variant, **seconds, "peak_memory_mb": memory})
    return rows


@contextmanager
def no_waits(fabric: Fabric, steps: int) -> Iterator[None]:
    """Make a wait for the GPU an error, from the first backward pass of each epoch of `steps` steps to the last."""
    original, done = fabric.backward, 0
    on_gpu = torch.cuda.is_available()

    def backward(*arguments: Any, **named: Any) -> None:
        nonlocal done
        if on_gpu and done % steps == 0:
            torch.cuda.set_sync_debug_mode("error")
        original(*arguments, **named)
        done += 1
        if on_gpu and done % steps == 0:
            torch.cuda.set_sync_debug_mode("default")

    fabric.backward = backward  # type: ignore[method-assign]
    try:
        yield
    finally:
        fabric.backward = original  # type: ignore[method-assign]
        if on_gpu:
            torch.cuda.set_sync_debug_mode("default")


def waits(study: Study) -> list[Row]:
    """Two epochs of each kind of training in which a wait within the steps is an error: a row each, with where."""
    kinds: dict[str, Any] = {variant: (variant, None) for variant in study.settings.variants}
    kinds |= {f"{variant}, data streamed": (variant, 0) for variant in study.settings.variants}
    rows = []
    for name, (variant, memory) in kinds.items():
        fabric, setup = _prepared(study, variant, memory)
        steps = len(batch_rows(torch.arange(len(setup.train.labels)), study.recipe(variant).batch_size))
        rows.append(_looked_at(name, fabric, steps, lambda f=fabric, s=setup, v=variant: _epochs(study, f, s, v)))
    packed = study.packed(TASK)
    people = packed.index.assign(person=packed.index["label"], emotion=packed.index["label"])
    settings = study.settings.weights.pretrain
    fabric = fabric_for(study.recipe(KILLED).precision)
    own = int((~held_out_of(people, 0)).sum())
    steps = len(batch_rows(torch.arange(own), settings.batch_size))
    arch = study.settings.variants[KILLED].arch
    rounds, data = [Round(size=packed.size, epochs=1)], Packed(packed.images, people)
    rows.append(_looked_at("pretraining", fabric, steps, lambda: pretrain(fabric, arch, data, settings, rounds, 0)))
    return rows


def _looked_at(name: str, fabric: Fabric, steps: int, work: Any) -> Row:
    try:
        with no_waits(fabric, steps):
            work()
    except RuntimeError as error:
        if "synchroniz" not in str(error):
            raise
        frames = [each for each in traceback.extract_tb(error.__traceback__) if "facestudy" in each.filename]
        where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno} {frames[-1].line}" if frames else "?"
        return {"what": name, "waits": where}
    return {"what": name, "waits": "none" if torch.cuda.is_available() else "not looked at: no GPU"}


def _prepared(study: Study, variant: str, memory: int | None) -> tuple[Fabric, Setup]:
    """A training's start; with `memory` 0 its pictures or features are read anew at each step."""
    recipe = study.recipe(variant)
    fabric = fabric_for(recipe.precision)
    packed, classes = study.packed(TASK), study.classes(TASK)
    setup = prepare(fabric, packed, classes, recipe, {}, study.seed)
    if memory is None:
        return fabric, setup
    rows, labels, _ = packed.part("train", classes)
    layout = recipe.layout
    read = Pictures(packed.images, labels, fabric.device, recipe.augmentation, study.seed, rows, layout, memory)
    parts = cut(setup.network) if isinstance(setup.train, Features) else None
    return fabric, replace(setup, train=read if parts is None else Features(fabric, parts[0], read, memory))


def _epochs(study: Study, fabric: Fabric, setup: Setup, variant: str) -> dict[str, Tensor]:
    """Two epochs; the state afterwards."""
    training = Training(fabric, setup.trained, study.recipe(variant))
    for _ in training.epochs(setup.train, setup.validation, 2, len(study.classes(TASK)), study.seed):
        pass
    return training.state()


def apart(one: dict[str, Tensor], two: dict[str, Tensor]) -> float:
    """The largest difference of two states; 0 for the same bytes."""
    if all(torch.equal(tensor, two[name]) for name, tensor in one.items()):
        return 0.0
    return max(float((tensor.double().cpu() - two[name].double().cpu()).abs().max()) for name, tensor in one.items())


def twice(study: Study) -> list[Row]:
    """The same training twice: how far apart, and the operations that have no deterministic kernel."""
    rows = []
    for variant in study.settings.variants:
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            one, two = (_epochs(study, *_prepared(study, variant, None), variant) for _ in range(2))
        said = {str(each.message).split()[0] for each in seen if "deterministic" in str(each.message)}
        rows.append({"variant": variant, "apart": apart(one, two), "not_deterministic": sorted(said)})
    return rows


def streamed(study: Study) -> list[Row]:
    """Each variant with its data on the device, and read anew at each step: seconds of an epoch, and how far apart."""
    rows = []
    for variant in study.settings.variants:
        row: Row = {"variant": variant}
        states = []
        for name, memory in (("resident", None), ("streamed", 0)):
            began = time.perf_counter()
            fabric, setup = _prepared(study, variant, memory)
            synchronise()
            ready = time.perf_counter()
            states.append(_epochs(study, fabric, setup, variant))
            synchronise()
            row[name] = round((time.perf_counter() - ready) / 2, 3)
            if isinstance(setup.train, Features):
                views = setup.train.views
                row[f"{name}_cache"] = f"{views.nbytes / 1e6:.0f} MB on {views.device.type} in {ready - began:.1f} s"
        rows.append(row | {"apart": apart(*states)})
    return rows


def agreement(study: Study) -> list[Row]:
    """Each variant's checkpoint: the largest difference of a probability on this device and on a CPU."""
    rows = []
    fabric = fabric_for("32-true")
    for variant in study.settings.variants:
        state, metadata = checkpoints.load(paths.checkpoint(TASK, variant, study.seed), CheckpointMetadata)
        assert isinstance(metadata, CheckpointMetadata)
        packed = study.packed(TASK)
        numbers, labels, _ = packed.part("validation", metadata.classes)
        found = []
        for device in (fabric.device, torch.device("cpu")):
            network = network_of(state, metadata, device)
            some = numbers[:COMPARED]
            pictures = Pictures(packed.images, labels[:COMPARED], device, rows=some, layout=metadata.recipe.layout)
            found.append(predict(fabric, network, pictures).cpu().double().softmax(dim=1))
        difference = float((found[0] - found[1]).abs().max())
        rows.append({"variant": variant, "pictures": len(found[0]), "largest_difference": difference})
    return rows


def resumed(study: Study) -> list[Row]:
    """A training killed after its second epoch and started again, against the one that `models` left: how far apart."""
    file = paths.checkpoint(TASK, KILLED, study.seed)
    whole = checkpoints.load_tensors(file)
    settings = os.environ | {"PYTHONUNBUFFERED": "1", "STUDY_RESUME_SHARE": "inf"}
    settings["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "stages.train", TASK, KILLED, str(study.seed)]
    file.unlink()
    process = subprocess.Popen(command, env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if "Epoch 2/" in line:
            break
    process.kill()
    process.communicate()
    if file.exists():
        raise RuntimeError("the training ended before it was killed")
    done = subprocess.run(command, env=settings, capture_output=True, text=True, check=False)
    if done.returncode or "continuing after epoch" not in done.stdout:
        raise RuntimeError(f"it did not continue: {(done.stdout + done.stderr)[-300:]}")
    after = done.stdout.partition("continuing after epoch ")[2].split()[0]
    return [{"variant": KILLED, "after": int(after), "apart": apart(whole, checkpoints.load_tensors(file))}]
