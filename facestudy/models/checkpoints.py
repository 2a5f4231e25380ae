"""Weights and checkpoints as safetensors files: no pickle, the same bytes for the same content."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as serialise_header

from facestudy.errors import StudyError
from facestudy.models.metadata import EmptyMetadata, Versioned
from facestudy.project.files import whole_file

# torch takes two seconds to import, and `initial_weights` needs no more than metadata.
if TYPE_CHECKING:
    from torch import Tensor

KEY = "metadata"  # the one entry of the header, for the format's writer does not keep the order of several
Kind = TypeVar("Kind", bound=Versioned)


def save(target: Path, tensors: "Mapping[str, Tensor]", metadata: Versioned, durable: bool = False) -> None:
    """Write tensors and their metadata as one file, whole or not at all; `durable` as `whole_file` has it."""
    header = {KEY: json.dumps(metadata.model_dump(), sort_keys=True, ensure_ascii=False)}
    if tensors:
        from safetensors.torch import save as serialise  # noqa: PLC0415

        content = serialise({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, header)
    else:
        content = serialise_header({}, header)
    with whole_file(target, durable) as temporary:
        # Not by the library's own save_file, whose temporary file would outlive a process that is killed.
        temporary.write_bytes(content)


def load(path: Path, kind: type[Kind]) -> "tuple[dict[str, Tensor], Kind | EmptyMetadata]":
    """Tensors and metadata of this kind, or the reason why there are none.

    Raises StudyError for a file that is no safetensors file, or whose metadata are of another version or kind.
    """
    return load_tensors(path), describe(path, kind)[1]


def load_tensors(path: Path) -> "dict[str, Tensor]":
    """The tensors of any safetensors file. Raises StudyError for a file that is none."""
    with _opened(path, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)


def describe(path: Path, kind: type[Kind]) -> tuple[list[str], Kind | EmptyMetadata]:
    """As `load`, with the names of the tensors in place of the tensors, and without an import of torch."""
    with _opened(path, "np") as file:
        names, header = list(file.keys()), file.metadata() or {}
    text, remedy = header.get(KEY, "{}"), "delete it and run `dvc repro`"
    if '"format"' not in text:
        raise StudyError(f"{path} was written by an older version (its metadata have no format); {remedy}")
    try:
        either: Any = EmptyMetadata | kind
        return names, TypeAdapter[Any](either).validate_json(text)
    except ValidationError as error:
        fault = error.errors()[-1]  # of `kind`, which comes last
        raise StudyError(f"{path}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}; {remedy}") from None


@contextmanager
def _opened(path: Path, framework: str) -> Iterator[Any]:
    try:
        with safe_open(path, framework=framework) as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise StudyError(f"{path} is not readable as a safetensors file: {error}") from None
