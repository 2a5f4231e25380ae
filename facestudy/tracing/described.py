"""What the stages wrote about their own work: in a model's file, and beside it in timings/."""

import csv
import json
import shlex
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError
from safetensors import SafetensorError, safe_open

from facestudy.errors import StudyError
from facestudy.project import paths
from facestudy.tracing.lines import plain, values
from facestudy.tracing.records import flat

KEY = "metadata"  # of the one entry that both kinds of files have
SHORT = 1000  # bytes
HISTOGRAMS = paths.histograms("", "", 0).parent
REPAIR = "`git checkout` or `dvc checkout` brings it back, or `dvc repro` makes it anew"


def files(names: Iterable[str]) -> Iterator[str]:
    """What models' files say of themselves, and all that short JSON files hold; nothing for files that are not here."""
    for path in map(Path, names):
        if not path.is_file() or path.is_relative_to(HISTOGRAMS):
            continue
        if path.suffix == ".safetensors":
            yield _content(path, _tensors)
        elif path.suffix == ".onnx":
            yield _content(path, _network)
        elif path.suffix == ".json" and path.stat().st_size <= SHORT:
            yield _content(path, read_json)


def timing(command: str) -> Iterator[str]:
    """What a training or an export measured of the machine, by the command of its stage."""
    words = shlex.split(command)
    if len(words) != 6 or words[:2] != ["python", "-m"]:
        return
    stage, task, variant, seed = words[2].removeprefix("stages."), *words[3:]
    file = paths.TIMINGS / task / variant / seed / f"{stage}.json"
    if file.is_file():
        yield _content(file, read_json)


def _content(path: Path, read: Callable[[Path], Any]) -> str:
    """All that a file says; of a damaged one why it is not readable, for the chain goes on behind it."""
    try:
        return f"{path}: {values(dict(flat(read(path))))}"
    except StudyError as error:
        return str(error)


def read_json(path: Path) -> Any:
    """A JSON file. Raises StudyError where it is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise StudyError(f"{path} is not readable as JSON ({error}); {REPAIR}") from None


def read_table(path: Path) -> tuple[list[str], list[list[str]]]:
    """The head and the rows of a CSV file, as many cells in each. Raises StudyError where it is none."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            head, rows = next(reader, []), []
            for row in reader:
                if len(row) != len(head):
                    raise StudyError(
                        f"{path}: line {reader.line_num} has {len(row)} cells, where the head has {len(head)}; {REPAIR}"
                    )
                rows.append(row)
    except (UnicodeDecodeError, csv.Error) as error:
        raise StudyError(f"{path} is not readable as a table ({error}); {REPAIR}") from None
    return head, rows


def _tensors(path: Path) -> dict[str, Any]:
    try:
        with safe_open(path, framework="np") as file:
            text, count = (file.metadata() or {}).get(KEY, "{}"), len(file.keys())
    except (SafetensorError, OSError) as error:
        raise StudyError(f"{path} is not readable as a safetensors file: {error}") from None
    return {"tensors": count, **_object(text)}


def _network(path: Path) -> dict[str, Any]:
    try:
        model = onnx.load(path, load_external_data=False)
    except DecodeError as error:
        raise StudyError(f"{path} is not readable as an ONNX file: {error}") from None
    text = {each.key: each.value for each in model.metadata_props}.get(KEY, "{}")
    maker = plain(f"{model.producer_name} {model.producer_version}".strip() or "not stated")
    return {
        "written by": maker,
        "opset": max((each.version for each in model.opset_import), default=0),
        **_object(text),
    }


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
