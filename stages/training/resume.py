"""What a training leaves after each epoch, so that one that was killed goes on from there."""

import fcntl
import hashlib
import json
import math
import platform
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from stages.errors import StudyError
from stages.training import checkpoints
from stages.writing import write_over

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


def keep(path: Path, of: str, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Write the state of the training with the key `of` after its epoch; on the disk when this returns.

    The tensors go into one of two files that are written over in turn, and `path`, whole or not at all, says how
    they lie there. A new file for each epoch would take a tenth of a small one: the kernel clears its pages first.
    """
    parts = [tensor.detach().cpu() for tensor in tensors.values()]
    # As they lie in memory, which copies nothing.
    flat = [part.as_strided((part.numel(),), (1,)).view(torch.uint8).numpy() for part in parts]
    write_over(_turn(path, about["epoch"]), (part.data for part in flat))
    kinds = [
        (name, str(part.dtype).removeprefix("torch."), list(part.shape), list(part.stride()))
        for name, part in zip(tensors, parts, strict=True)
    ]
    known = {"key": of, "tensors": kinds, **about}
    checkpoints.save(path, {}, known, durable=True)


def forget(path: Path) -> None:
    """Remove what a training kept."""
    for file in (path, _turn(path, 0), _turn(path, 1)):  # the first: without it the others count for nothing
        file.unlink(missing_ok=True)


def _turn(path: Path, epoch: int) -> Path:
    return path.with_suffix(f".{epoch % 2}")


def left_off(path: Path, of: str, fabric: Fabric) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """What a training with the key `of` kept, or None; told on the terminal, and removed, where it is of no use."""
    found: tuple[dict[str, Tensor], dict[str, Any]] | None = None
    try:
        about = checkpoints.describe(path)[1] if path.is_file() else None
        if about is not None and about.get("key") == of:
            found = _tensors(_turn(path, about["epoch"]), about["tensors"]), about
        elif about is not None:
            fabric.print(
                f"the state of an unfinished training in {path} has other data, parameters, code, versions or "
                "machine; training starts anew"
            )
    except StudyError as error:
        fabric.print(f"{error}; training starts anew")
    epoch = torch.tensor(0 if found is None else found[1]["epoch"], device=fabric.device)
    if fabric.world_size > 1 and len(set(fabric.all_gather(epoch).flatten().tolist())) > 1:  # type: ignore[union-attr]
        found = None  # machines without a folder in common
    if found is None and fabric.is_global_zero:
        forget(path)
    return found


def _tensors(file: Path, kinds: list[tuple[str, str, list[int], list[int]]]) -> dict[str, Tensor]:
    found, start = {}, 0
    try:
        values = torch.from_numpy(np.fromfile(file, np.uint8))
        for name, kind, shape, stride in kinds:
            dtype = getattr(torch, kind)
            end = start + math.prod(shape) * dtype.itemsize
            found[name] = values[start:end].clone().view(dtype).as_strided(shape, stride)
            start = end
    except (OSError, RuntimeError) as error:
        raise StudyError(f"{file} is not readable as the state of a training: {error}") from None
    return found
