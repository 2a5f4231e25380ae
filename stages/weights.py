"""Weights of an architecture that trainings start from, whichever way they come.

In: data/prepared/pretrain/ (for `pretrain`), weights.source and the architecture's settings.
Out: data/weights/<arch>.safetensors, whose metadata says where the weights come from.
"""

import hashlib
import sys
from pathlib import Path

from torch import Tensor

from stages import paths
from stages.errors import StudyError, main
from stages.params import Architecture, Pretrain, WeightsFile, read
from stages.training import checkpoints, imagenet
from stages.training.loop import fabric_for
from stages.training.pictures import Packed
from stages.training.pretraining import pretrain


def weights(arch: str) -> None:
    """Write the weights, or raise StudyError."""
    seed, source, settings, architecture = read(
        "seed", "weights.source", "weights.pretrain", f"weights.architectures.{arch}"
    )
    if source == "imagenet":
        state, origin = imagenet.download(arch, architecture.imagenet)
    elif source == "file":
        state, origin = _own(arch, architecture.file)
    else:
        state, origin = _pretrained(arch, settings, architecture, seed)
    print(f"{arch}: {origin}")
    checkpoints.save(paths.weights(arch), state, {"arch": arch, "origin": origin})


def _pretrained(arch: str, settings: Pretrain, architecture: Architecture, seed: int) -> tuple[dict[str, Tensor], str]:
    if not architecture.rounds:
        return {}, f"weights.architectures.{arch}.rounds is empty: not pretrained"
    packed = Packed.read(paths.prepared(paths.PRETRAIN_PEOPLE))
    state, found = pretrain(fabric_for(settings.precision), arch, packed, settings, architecture, seed)
    people = packed.index["person"].nunique()
    drawn = "drawn faces" if settings.source == "sample" else "photos of a labelled folder"
    rounds = ", then ".join(f"{stretch.epochs} epochs at {stretch.size} px" for stretch in architecture.rounds)
    told = " and ".join(f"{kind} {share:.1%}" for kind, share in found.items())
    origin = (
        f"pretrained here on {len(packed.index)} {drawn} of {people} people ({rounds}); right on those held out: {told}"
    )
    return state, origin


def _own(arch: str, file: WeightsFile) -> tuple[dict[str, Tensor], str]:
    """The user's own state dict, a safetensors file whose hash params.yaml states."""
    key = f"weights.architectures.{arch}.file"
    if file.path is None or not Path(file.path).is_file():
        raise StudyError(f"{key}.path: {file.path!r} is not there; name a safetensors file with a state dict of {arch}")
    with Path(file.path).open("rb") as opened:
        seen = hashlib.file_digest(opened, "sha256").hexdigest()
    if file.sha256 != seen:
        raise StudyError(
            f"{key}.sha256 is {file.sha256}, the file {file.path} has this one; paste it:\n  sha256: {seen}"
        )
    return checkpoints.load(Path(file.path))[0], f"the user's file {Path(file.path).name}, SHA-256 {seen}"


if __name__ == "__main__":
    main(weights, *sys.argv[1:])
