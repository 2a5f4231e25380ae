"""Weights and checkpoints as safetensors files: no pickle, the same bytes for the same content."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from stages.errors import StudyError
from stages.writing import whole_file


def save(target: Path, tensors: dict[str, Tensor], about: dict[str, Any]) -> None:
    """Write tensors and what is to be known about them (JSON values) as one file, whole or not at all."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    # One entry: the format's writer does not keep the order of several.
    with whole_file(target) as temporary:
        save_file(plain, temporary, metadata={"about": json.dumps(about, sort_keys=True, ensure_ascii=False)})


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and what is known about them. Raises StudyError for a file that is no safetensors file."""
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
            return tensors, json.loads((file.metadata() or {}).get("about", "{}"))
    except (SafetensorError, OSError) as error:
        raise StudyError(f"{path} is not readable as a safetensors file: {error}") from None
