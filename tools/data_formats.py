"""docs/data-formats.md, made from the contracts and from the columns of the tables.

python -m tools.data_formats
"""

from collections.abc import Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from facestudy.contracts import corruptions, counts, differences, exports, results, scores, study
from facestudy.models import metadata
from facestudy.project.files import Unavailable, write_text
from facestudy.training import history

PAGE = Path("docs/data-formats.md")
Models = list[type[BaseModel]]
# In paths words in capitals stand for names of params.yaml.
JSON: dict[str, Models] = {
    "data/study.json": [study.Study],
    "data/prepared/TASK/settings.json": [exports.Preparation],
    "metrics/download.json": [counts.DownloadReport],
    "metrics/pretraining.json": [counts.PretrainingReport],
    "metrics/TASK/split.json": [counts.SplitReport],
    "metrics/TASK/leaks.json": [counts.LeaksReport],
    "metrics/TASK/preprocess.json": [counts.PreprocessReport],
    "metrics/TASK/VARIANT/SEED/scores.json": [scores.Scores, Unavailable],
    "metrics/differences/TASK.json": [differences.Differences],
    "metrics/exports/TASK/VARIANT/SEED.json": [exports.ExportReport, Unavailable],
    "timings/TASK/VARIANT/SEED/train.json": [metadata.TrainingTiming],
    "timings/TASK/VARIANT/SEED/export.json": [exports.ExportTiming],
}
METADATA: dict[str, Models] = {
    "data/weights/ARCH.safetensors": [metadata.WeightsMetadata, metadata.EmptyMetadata],
    "data/initial_weights/VARIANT.safetensors": [metadata.WeightsMetadata],
    "data/checkpoints/TASK/VARIANT/SEED.safetensors": [metadata.CheckpointMetadata, metadata.EmptyMetadata],
    "data/histograms/TASK/VARIANT/SEED.safetensors": [metadata.HistogramMetadata, metadata.EmptyMetadata],
    "data/exported/TASK/VARIANT/SEED.onnx": [exports.ExportedMetadata, metadata.EmptyMetadata],
}
FILE = "id of the picture and its ending: 16 hexadecimal digits of the SHA-256 of the photo's bytes"
PERSON = "who it is; empty where not known"
# A name in angle brackets stands for every label, task or class.
TABLES: dict[str, dict[str, str]] = {
    "data/raw/index.csv": {
        "file": FILE,
        "person": PERSON,
        "<task>": "label for the task, lower case; empty where there is none",
        "source_file": "path in the source",
        "<other>": "what else the source knows, as text; of drawn photos light, occlusion, shown, strength, origin",
    },
    "data/raw/rejected.csv": {"source_file": "path in the source", "reason": "why the photo was left out"},
    "data/splits/TASK.csv": {
        "file": FILE,
        "label": "class of the picture",
        "split": "train, validation, test, or fold_0 and so on",
        "group": "what stays on one side of the split: a person, the first of its copies, or the picture itself",
    },
    "data/leaks/TASK/pairs.csv": {
        "kind": "exact copy or near copy",
        "first": FILE,
        "first_split": "split of the first",
        "second": FILE,
        "second_split": "split of the second",
        "correlation": "of grey pixels at 32 x 32, 0..1",
    },
    "data/prepared/TASK/index.csv": {
        "file": FILE,
        "label": "class of the picture",
        "split": "as in data/splits/TASK.csv",
        "group": "as in data/splits/TASK.csv",
        "faces_found": "one, none or several",
        "crop": "face (the face was cut out) or whole (the whole picture was taken)",
        "<other>": "what else the source knows, as text",
    },
    "data/prepared/pretrain/index.csv": {
        "file": "name of the picture in its source",
        "person": PERSON,
        "emotion": "label; empty where not known",
        "origin": "drawn or photo",
        "faces_found": "one, none or several",
        "crop": "face or whole",
    },
    "metrics/TASK/VARIANT/SEED/history.csv": history.COLUMNS,
    "metrics/TASK/VARIANT/SEED/predictions.csv": {
        "file": FILE,
        "split": "validation or test",
        "person_group": "number of the person; a picture of an unknown person, or of the one asked for, has its own",
        "truth": "class of the picture",
        "prediction": "the class with the highest probability",
        "p_<class>": "probability of each class, 0..1, not calibrated",
    },
    "metrics/TASK/VARIANT/SEED/corruptions.csv": corruptions.COLUMNS,
    "metrics/TASK/VARIANT/SEED/roc.csv": {
        "threshold": "least probability of the positive class that is accepted",
        "false_accept_rate": "share of the others that are accepted, 0..1",
        "true_accept_rate": "share of the target's pictures that are accepted, 0..1",
    },
    "plots/curves/TASK.csv": {
        "variant": "name",
        "seed": "of the training",
        **{name: history.COLUMNS[name] for name in results.HISTORY_COLUMNS},
    },
    "plots/confusion/TASK.csv": {
        "variant": "name", "seed": "of the training", "truth": "class", "prediction": "class", "count": "pictures",
    },
    "plots/confusion_zscore/TASK.csv": {
        "variant": "name", "seed": "of the training", "truth": "class", "prediction": "class",
        "zscore": "the count minus the mean of all cells, by their standard deviation",
    },
    "plots/corruptions/TASK.csv": {
        "variant": "name", "seed": "of the training",
        **{name: corruptions.COLUMNS[name] for name in corruptions.COMPARED},
    },
}  # fmt: skip
ARRAYS = {
    "data/raw/images/": "the photos with their original bytes, named by their id",
    "data/prepared/TASK/images.npy": "uint8 (N, size, size, 3), RGB; row i belongs to row i of index.csv",
    "data/prepared/pretrain/images.npy": "the same",
    "data/weights/ARCH.safetensors": "the state dict without a head",
    "data/initial_weights/VARIANT.safetensors": "the same; no tensor for random weights",
    "data/checkpoints/TASK/VARIANT/SEED.safetensors": "the state dict of the network",
    "data/histograms/TASK/VARIANT/SEED.safetensors": "of E epochs, P trained parameters and B bins: `gradient_counts` "
    "(E, P, B), `gradient_edges` (E, P, B + 1), `parameter_counts` and `parameter_edges` with E + 1 rows, the first "
    "before training",
    "data/exported/TASK/VARIANT/README.md": "the model card: YAML as model hubs read it, then Markdown",
    "data/exported/TASK/VARIANT/SEED.onnx": "input `pictures`, float32 (N, 3, size, size); output `logits` (N, K)",
}
NAMES = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "true or false",
    Any: "any",
    NoneType: "null",
    None: "null",
}


def page() -> str:
    """The whole page."""
    blocks = [
        "# Data formats\n\nMade by `python -m tools.data_formats` from the contracts in `facestudy/contracts/` and "
        "`facestudy/models/metadata.py`. Words in capitals stand for names in params.yaml. Shares and accuracies are "
        "in 0..1, losses in nats.",
        "## JSON",
        *(_described(path, models) for path, models in JSON.items()),
        "## Metadata\n\nOne entry, `metadata`, with this JSON. A file without `format` is of an older version, and is "
        "refused with a message that says to run `dvc repro`.",
        *(_described(path, models) for path, models in METADATA.items()),
        "## Tables\n\nCSV in UTF-8 with Unix line ends; floats with every digit.",
        *(f"### {path}\n\n{_table('column | meaning', TABLES[path].items())}" for path in TABLES),
        "## Arrays\n\n" + _table("file | content", ARRAYS.items()),
    ]
    return "\n\n".join(blocks) + "\n"


def _described(path: str, models: Models) -> str:
    parts = [f"### {path}"]
    for number, model in enumerate(models):
        if number:
            parts.append("or, for a task without labels:")
        parts.append(_table("field | type | meaning", _rows(model, "")))
    return "\n\n".join(parts)


def _table(head: str, rows: Any) -> str:
    names = head.split(" | ")
    lines = [names, ["---"] * len(names), *([f"`{row[0]}`", *row[1:]] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _rows(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str]]:
    """Name, type and meaning of each field, those of models within it after it."""
    for name, field in model.model_fields.items():
        meaning = field.description or "as in params.yaml"
        yield f"{prefix}{name}", _type(field.annotation), meaning
        for inner, path in _models_within(field.annotation, f"{prefix}{name}"):
            yield from _rows(inner, f"{path}.")


def _models_within(kind: Any, path: str) -> Iterator[tuple[type[BaseModel], str]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind, path
    origin = get_origin(kind)
    for inner in get_args(kind) if origin is not Literal else ():
        below = {dict: f"{path}.*", list: f"{path}[]"}.get(origin, path) if origin is not None else path
        yield from _models_within(inner, below)


def _type(kind: Any) -> str:
    origin, inner = get_origin(kind), get_args(kind)
    forms = {
        Literal: lambda: " or ".join(map(str, inner)),
        Union: lambda: " or ".join(map(_type, inner)),
        UnionType: lambda: " or ".join(map(_type, inner)),
        Annotated: lambda: _type(inner[0]),
        dict: lambda: f"object of {_type(inner[1])}",
        list: lambda: f"list of {_type(inner[0])}",
        tuple: lambda: f"{len(inner)} × {_type(inner[0])}",
    }
    return forms[origin]() if origin in forms else NAMES.get(kind, "object")


if __name__ == "__main__":
    write_text(PAGE, page())
