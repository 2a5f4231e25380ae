"""Weights that the user brings."""

from pathlib import Path

from torch import Tensor

from facestudy.errors import StudyError
from facestudy.models import checkpoints
from facestudy.project.files import sha256
from facestudy.project.sections import OwnFile
from facestudy.weights.fitting import require_fit


def load(arch: str, file: OwnFile) -> tuple[dict[str, Tensor], str]:
    """State dict and origin of a safetensors file. Raises StudyError where it lacks or is of no use.

    That is, where it has not the stated hash, holds no tensor, or does not fit (`require_fit`).
    """
    key = f"weights.architectures.{arch}.file"
    if file.path is None or not Path(file.path).is_file():
        raise StudyError(f"{key}.path: {file.path!r} is not there; name a safetensors file with a state dict of {arch}")
    path = Path(file.path)
    actual = sha256(path)
    if file.sha256 != actual:
        raise StudyError(f"{key}.sha256 is {file.sha256}, the file {path} has this one; paste it:\n  sha256: {actual}")
    tensors = checkpoints.load_tensors(path)
    if not tensors:
        raise StudyError(f"{key}.path: {path} holds no tensor; name a safetensors file with a state dict of {arch}")
    require_fit(arch, tensors, f"{key}.path", str(path))
    return tensors, f"the user's file {path.name}, SHA-256 {actual}"
