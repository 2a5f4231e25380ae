"""The state of an unfinished training on disk, from which it continues where its process was killed."""

import hashlib
import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import torch
from filelock import FileLock, Timeout
from lightning_fabric import Fabric
from pydantic import Field
from torch import Tensor

from facestudy.errors import StudyError
from facestudy.models import checkpoints
from facestudy.models.metadata import EmptyMetadata, Versioned
from facestudy.project.files import sha256
from facestudy.training.history import Epoch, History
from facestudy.training.loop import Training, grouped

ROOT = Path(__file__).parents[2]
LIBRARIES = ("torch", "torchvision", "lightning-fabric", "numpy")
FIRST_SPEED = 500e6  # bytes per second, until a write has been measured


class StateMetadata(Versioned):
    """.resume/<task>/<variant>/<seed>.safetensors, whose tensors are the training's, the histograms and the best's"""

    key: str = Field(description="hash of all that decides the bytes of the training's result")
    epochs: list[Epoch] = Field(description="rows of history.csv so far")
    seconds: float = Field(description="that the training has taken so far")


@contextmanager
def lock(path: Path, fabric: Fabric) -> Iterator[None]:
    """Hold the state of a model's training while the block runs. Raises StudyError where another process holds it."""
    if not fabric.is_global_zero:  # the first process of a training stands for all
        yield
        return
    file = path.with_suffix(".lock")
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        held = FileLock(file, blocking=False).acquire()
    except Timeout:
        message = f"another training of this model is running ({file} is locked); wait for it, or end it"
        raise StudyError(message) from None
    with held:
        yield


def key(fabric: Fabric, *decisive: object) -> str:
    """A hash of all that decides a training's bytes: settings and hashes of data, whose `repr` is read, and here
    the loaded code of facestudy and stages, libraries, device, threads and processes.
    """
    loaded = [Path(file) for module in list(sys.modules.values()) if (file := getattr(module, "__file__", None))]
    own = {path for path in loaded if any(path.is_relative_to(ROOT / part) for part in ("facestudy", "stages"))}
    code = sorted((str(path.relative_to(ROOT)), sha256(path)) for path in own)
    versions = [platform.python_version(), *(version(library) for library in LIBRARIES)]
    on_gpu = fabric.device.type == "cuda"
    device = torch.cuda.get_device_name(fabric.device) if on_gpu else torch.backends.cpu.get_cpu_capability()
    machine = (device, torch.get_num_threads(), fabric.world_size)
    return hashlib.sha256(repr((decisive, code, versions, machine)).encode()).hexdigest()


class Unfinished:
    """The state of one training, in one file, which is written whole or not at all.

    Writing it may take 2 % of the training's time; the environment variable STUDY_RESUME_SHARE sets another share, and
    "inf" has it written after each epoch.
    """

    def __init__(self, path: Path, key: str) -> None:
        self._path, self._key = path, key
        share = os.environ.get("STUDY_RESUME_SHARE", "0.02")
        try:
            self._share = float(share)
        except ValueError:
            raise StudyError(f"STUDY_RESUME_SHARE={share} is no number; 0.02 is 2 % of the time") from None
        self._speed, self._written = FIRST_SPEED, time.perf_counter()

    def load(self, training: Training, history: History, fabric: Fabric) -> bool:
        """Restore both from the state, where there is one of this key; a state of no use is named and deleted."""
        state = self._read(fabric)
        epoch = torch.tensor(0 if state is None else len(state[1].epochs), device=fabric.device)
        if fabric.world_size > 1 and len(set(fabric.all_gather(epoch).flatten().tolist())) > 1:  # type: ignore[union-attr]
            state = None  # machines without a folder in common
        if state is None:
            if fabric.is_global_zero:
                self.delete()
            return False
        parts, metadata = grouped(state[0]), state[1]
        training.restore(parts["training"], len(metadata.epochs))
        history.recorder.restore(parts["histograms"])
        history.epochs, history.best = list(metadata.epochs), parts["best"]
        history.began -= metadata.seconds
        return True

    def _read(self, fabric: Fabric) -> tuple[dict[str, Tensor], StateMetadata] | None:
        if not self._path.is_file():
            return None
        try:
            tensors, metadata = checkpoints.load(self._path, StateMetadata)
        except StudyError as error:
            fabric.print(f"{error}; training starts anew")
            return None
        if isinstance(metadata, EmptyMetadata) or metadata.key != self._key:
            fabric.print(
                f"the state of an unfinished training in {self._path} has other data, parameters, code, versions or "
                "machine; training starts anew"
            )
            return None
        return tensors, metadata

    def save(self, training: Training, history: History) -> None:
        """Write the state after an epoch; not where that would take too large a share of the time since the last write.

        The time is estimated from the speed of the last write. What is written is on the disk when this returns.
        """
        parts = {"training": training.state(), "histograms": history.recorder.tensors(), "best": history.best}
        tensors = {f"{part}.{name}": tensor for part, named in parts.items() for name, tensor in named.items()}
        size, began = sum(tensor.nbytes for tensor in tensors.values()), time.perf_counter()
        if size / self._speed > self._share * (began - self._written):
            return
        metadata = StateMetadata(key=self._key, epochs=history.epochs, seconds=history.seconds)
        checkpoints.save(self._path, tensors, metadata, durable=True)
        self._written = time.perf_counter()
        self._speed = size / (self._written - began)

    def delete(self) -> None:
        """Remove the state."""
        self._path.unlink(missing_ok=True)
