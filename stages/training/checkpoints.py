"""Weights and checkpoints as safetensors files: no pickle, the same bytes for the same content."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as save_header

from stages.errors import StudyError
from stages.writing import whole_file

# torch takes two seconds to import, and `start` needs no more than names and metadata.
if TYPE_CHECKING:
    from torch import Tensor


def save(target: Path, tensors: "dict[str, Tensor]", about: dict[str, Any], durable: bool = False) -> None:
    """Write tensors and what is to be known about them (JSON values) as one file, whole or not at all.

    `durable`: as `whole_file` has it.
    """
    # One entry: the format's writer does not keep the order of several.
    metadata = {"about": json.dumps(about, sort_keys=True, ensure_ascii=False)}
    with whole_file(target, durable) as temporary:
        # Not by the library's own save_file, whose temporary file would outlive a process that is killed.
        temporary.write_bytes(_packed(tensors, metadata))


def _packed(tensors: "dict[str, Tensor]", metadata: dict[str, str]) -> bytes:
    if not tensors:
        return save_header({}, metadata)
    from safetensors.torch import save as save_tensors  # noqa: PLC0415

    return save_tensors({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, metadata)


def load(path: Path) -> "tuple[dict[str, Tensor], dict[str, Any]]":
    """Tensors and what is known about them. Raises StudyError for a file that is no safetensors file."""
    with _opened(path, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, _about(file)  # noqa: SIM118 (no mapping)


def describe(path: Path) -> tuple[list[str], dict[str, Any]]:
    """Names of the tensors and what is known about them, without the tensors. Raises StudyError as `load` does."""
    with _opened(path, "np") as file:
        return list(file.keys()), _about(file)


@contextmanager
def _opened(path: Path, framework: str) -> Iterator[Any]:
    try:
        with safe_open(path, framework=framework) as file:
            yield file
    except (SafetensorError, OSError, ValueError) as error:  # the last where the metadata are no JSON
        raise StudyError(f"{path} is not readable as a safetensors file: {error}") from None


def _about(file: Any) -> dict[str, Any]:
    about = json.loads((file.metadata() or {}).get("about", "{}"))
    return about if isinstance(about, dict) else {}
