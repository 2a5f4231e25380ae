"""What a training leaves after each epoch, so that one that was killed goes on from there."""

import fcntl
import hashlib
import json
import platform
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from stages.errors import StudyError
from stages.training import checkpoints

STAGES = Path(__file__).parents[1]
LIBRARIES = ("torch", "torchvision", "lightning-fabric", "numpy")


@contextmanager
def alone(state: Path, fabric: Fabric) -> Iterator[None]:
    """Hold a model's training while the block runs. Raises StudyError where another process holds it."""
    if not fabric.is_global_zero:  # of one training's processes the first stands for all
        yield
        return
    lock = state.with_suffix(".lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StudyError(
                f"another training of this model is under way ({lock} is held); wait for it, or end it"
            ) from None
        yield


def key(about: Mapping[str, Any], files: list[str], fabric: Fabric) -> str:
    """A hash of all that a training's bytes rest on: settings, data, code, libraries, device, threads, processes.

    `about` holds JSON values, `files` hashes of what is read.
    """
    loaded = [Path(file) for module in list(sys.modules.values()) if (file := getattr(module, "__file__", None))]
    own = [path for path in loaded if path.is_relative_to(STAGES)]
    code = {str(path.relative_to(STAGES)): hashlib.sha256(path.read_bytes()).hexdigest() for path in own}
    versions = [platform.python_version(), *(version(library) for library in LIBRARIES)]
    on_gpu = fabric.device.type == "cuda"
    device = [torch.cuda.get_device_name(fabric.device) if on_gpu else torch.backends.cpu.get_cpu_capability()]
    device += [str(torch.get_num_threads()), str(fabric.world_size)]
    whole = json.dumps([about, files, code, versions, device], sort_keys=True)
    return hashlib.sha256(whole.encode()).hexdigest()


def keep(path: Path, of: str, tensors: dict[str, Tensor], about: Mapping[str, Any]) -> None:
    """Write the state of the training with the key `of`; on the disk when this returns."""
    checkpoints.save(path, tensors, {"key": of, **about}, durable=True)


def left_off(path: Path, of: str, fabric: Fabric) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """What a training with the key `of` kept, or None; told on the terminal where it was another training's."""
    found: tuple[dict[str, Tensor], dict[str, Any]] | None = None
    if path.is_file():
        try:
            found = checkpoints.load(path)
        except StudyError as error:
            fabric.print(f"{error}; training starts anew")
        if found is not None and found[1].get("key") != of:
            fabric.print(
                f"the state of an unfinished training in {path} has other data, parameters, code, versions or "
                "machine; training starts anew"
            )
            found = None
    epoch = torch.tensor(0 if found is None else found[1]["epoch"], device=fabric.device)
    if fabric.world_size > 1 and len(set(fabric.all_gather(epoch).flatten().tolist())) > 1:  # type: ignore[union-attr]
        return None  # machines without a folder in common
    return found
