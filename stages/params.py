"""params.yaml, typed and checked. A stage reads just the keys that it declares in dvc.yaml."""

import os
import re
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from stages import paths
from stages.errors import StudyError

Share = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]

SIZED = "vit_"  # vision transformers know the place of each patch


BOUNDS = {
    "minimum": ">=",
    "exclusiveMinimum": ">",
    "maximum": "<=",
    "exclusiveMaximum": "<",
    "minItems": "with a length >=",
    "pattern": "of the form",
}
TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "string": "a text",
    "boolean": "true or false",
    "array": "a list",
    "object": "a section of keys",
    "null": "null",
}


class Section(BaseModel):
    """Keys of params.yaml; one that is not named is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Columns(BaseModel):
    """Column names of a label file; a key other than `file` and `person` is a task."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)
    __pydantic_extra__: dict[str, str | None] = Field(init=False)

    file: str
    person: str | None = None
    face: str | None = None
    emotion: str | None = None

    def tasks(self) -> dict[str, str]:
        """Label column of each task that has one."""
        return {task: name for task, name in self if task not in {"file", "person"} and name is not None}


class Layout(Section):
    """How a folder of photos is laid out; shared by every source that ends in a folder."""

    images: str = "images"
    labels: str = "labels.csv"
    columns: Columns = Columns(file="file", person="person", face="face", emotion="emotion")
    person_pattern: str | None = None
    rename: dict[str, str] = {}  # labels that mean the same: what the label file says, what it becomes

    @field_validator("person_pattern")
    @classmethod
    def _has_a_group(cls, pattern: str | None) -> str | None:
        try:
            groups = re.compile(pattern).groups if pattern is not None else 1
        except re.error as error:
            raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
        if not groups:
            raise ValueError(f"{pattern!r} has no group in parentheses, which would be the person")
        return pattern


class Sample(Section):
    size: Annotated[int, Field(ge=32, le=1024)]
    target_pictures: Count
    other_pictures: Count
    look_alikes: Annotated[int, Field(ge=0)]
    emotion_pictures: Count
    emotions: Annotated[list[Literal["happy", "sad", "angry", "surprise", "neutral"]], Field(min_length=2)]


class Folder(Layout):
    path: str


class Archive(Layout):
    location: str | None
    sha256: Sha256 | None


class GitFolder(Layout):
    url: str
    revision: str
    path: str


class Drive(Layout):
    url: str


class Data(Section):
    source: Literal["sample", "folder", "archive", "git", "drive"]
    max_megapixels: Annotated[float, Field(gt=0, le=89)]  # Pillow itself warns above
    sample: Sample
    folder: Folder
    archive: Archive
    git: GitFolder
    drive: Drive


class Task(Section):
    title: str
    positive: str | None


class Split(Section):
    validation: Annotated[float, Field(gt=0, lt=1)]
    test: Share
    folds: Annotated[int, Field(ge=0)]
    group: Literal["none", "person", "near_duplicate"]
    leaks: Literal["warn", "stop", "group"]


class Preprocess(Section):
    size: Annotated[int, Field(ge=32, le=512)]
    margin: Annotated[float, Field(ge=0, le=2)]
    detector: Literal["haar", "yunet"]
    detector_file: str | None
    scale_factor: Annotated[float, Field(gt=1, le=2)]
    min_neighbors: Annotated[int, Field(ge=0)]
    border: Annotated[float, Field(ge=0, le=1)]
    no_face: Literal["whole", "leave_out"]
    several_faces: Literal["largest", "whole", "leave_out"]


class Augmentation(Section):
    """Random changes of a training picture; each picture draws its own."""

    flip: bool
    rotation: Annotated[float, Field(ge=0, le=180)]
    scale: Annotated[float, Field(ge=0, lt=1)]
    shift: Annotated[float, Field(ge=0, lt=1)]
    light: Annotated[float, Field(ge=0, lt=1)]


Precision = Literal["32-true", "bf16-mixed", "16-mixed", "auto"]


class Pretrain(Section):
    source: Literal["sample", "folder"]
    path: str
    columns: Columns
    people: Annotated[int, Field(ge=2)]
    pictures: Annotated[int, Field(ge=2)]
    batch_size: Annotated[int, Field(ge=2)]
    lr: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    weight_decay: Annotated[float, Field(ge=0)]
    person_weight: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    augmentation: Augmentation
    precision: Precision


class Round(Section):
    size: Annotated[int, Field(ge=32, le=512)]
    epochs: Count


class WeightsFile(Section):
    path: str | None
    sha256: Sha256 | None


class Architecture(Section):
    rounds: list[Round]
    imagenet: str
    file: WeightsFile


class Weights(Section):
    source: Literal["pretrain", "imagenet", "file"]
    pretrain: Pretrain
    architectures: dict[Name, Architecture]


class Training(Section):
    launcher: Annotated[str, Field(min_length=1)]
    epoch: Literal["last", "best"]
    histogram_bins: Annotated[int, Field(ge=2, le=512)]


class Recipe(Section):
    """How a variant is trained, whatever the task and wherever its weights come from."""

    title: str
    arch: Name
    head: Literal["original", "pooled"]
    trainable: Annotated[list[str], Field(min_length=1)]
    batch_size: Annotated[int, Field(ge=2)]
    optimizer: Literal["adam", "adamw", "sgd"]
    lr: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    schedule: Literal["constant", "cosine"]
    weight_decay: Annotated[float, Field(ge=0)]
    class_weights: Literal["none", "balanced"]
    augmentation: Augmentation
    precision: Precision
    layout: Literal["channels_last", "contiguous"]
    compile: bool


class Variant(Recipe):
    """A recipe, where its weights come from, and its epochs by task."""

    weights: Literal["pretrained", "random"]
    epochs: dict[Name, Count]


class Challenges(Section):
    strengths: Annotated[list[Annotated[int, Field(ge=1, le=5)]], Field(min_length=1)]


class Params(Section):
    seed: Seed
    seeds: Annotated[list[Seed], Field(min_length=1)]
    data: Data
    tasks: Annotated[dict[Name, Task], Field(min_length=1)]
    split: Split
    preprocess: Preprocess
    weights: Weights
    training: Training
    challenges: Challenges
    variants: Annotated[dict[Name, Variant], Field(min_length=1)]

    @model_validator(mode="after")
    def _agree(self) -> "Params":
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds: {self.seeds} holds a seed twice; each entry must be different")
        if self.split.validation + self.split.test >= 1:
            raise ValueError("split: validation and test together must be below 1, so that something is left to train")
        folds = self.split.folds
        if folds == 1:
            raise ValueError("split.folds: one fold leaves nothing to train on; 2 or more, or 0 for a single split")
        if folds and sorted(seed % folds for seed in self.seeds) != list(range(folds)):
            raise ValueError(
                f"seeds: {self.seeds} must be {folds} for split.folds: {folds}, one whose remainder by {folds} is "
                f"each fold's number, as {list(range(folds))}"
            )
        for arch, settings in self.weights.architectures.items():
            sizes = {stretch.size for stretch in settings.rounds} - {self.preprocess.size}
            if arch.startswith(SIZED) and sizes:
                raise ValueError(
                    f"weights.architectures.{arch}.rounds: a vision transformer keeps one size; take that of "
                    f"preprocess.size, {self.preprocess.size}, in place of {sorted(sizes)}"
                )
        for name, variant in self.variants.items():
            if variant.arch not in self.weights.architectures:
                known = ", ".join(self.weights.architectures)
                raise ValueError(f"variants.{name}.arch: {variant.arch!r} is not under weights.architectures ({known})")
            if set(variant.epochs) != set(self.tasks):
                tasks = ", ".join(self.tasks)
                raise ValueError(f"variants.{name}.epochs: must name each task once ({tasks})")
        return self


def load() -> Params:
    """All of params.yaml, checked; for `check` alone. Raises StudyError that names each faulty key."""
    try:
        # The reader that DVC uses: PyYAML takes 1e-05, as `dvc exp run -S` writes it, for a text.
        values = YAML(typ="safe", pure=True).load(paths.PARAMS.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StudyError(f"{paths.PARAMS} is not there; run in the folder that holds it") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise StudyError(
            f"{paths.PARAMS} is not readable as YAML: {str(error).split('To suppress')[0].strip()}"
        ) from None
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        raise StudyError(f"{paths.PARAMS} is wrong:\n" + "\n".join(_told(fault) for fault in error.errors())) from None


def _told(fault: Any) -> str:
    place = fault["loc"]
    key = ".".join(str(part) for part in place) or "the file"
    if fault["type"] == "extra_forbidden":
        return f"  {key}: no such key; allowed are {', '.join(_schema(place[:-1]).get('properties', {}))}"
    if fault["type"] == "value_error":
        return f"  {key}: {fault['ctx']['error']}"
    if fault["type"] == "missing":
        return f"  {key}: is missing; allowed: {_allowed(_schema(place))}"
    if "[key]" in place:
        return f"  {key.removesuffix('.[key]')}: not a name; {fault['msg']}"
    allowed = _allowed(_schema(place))
    return f"  {key}: {fault['input']!r} is refused; {f'allowed: {allowed}' if allowed else fault['msg']}"


def _schema(place: tuple[int | str, ...]) -> dict[str, Any]:
    """What the JSON schema of Params says about a key."""
    root = Params.model_json_schema()
    schema: dict[str, Any] = root
    for part in (*place, None):
        if "$ref" in schema:
            schema = root["$defs"][schema["$ref"].rsplit("/", 1)[-1]]
        if part is not None:
            inner = schema.get("items") if isinstance(part, int) else schema.get("properties", {}).get(part)
            by_name = [*schema.get("patternProperties", {}).values(), schema.get("additionalProperties")]
            schema = inner or by_name[0] or {}
    return schema


def _allowed(schema: dict[str, Any]) -> str:
    """The allowed values in words: a list of them, or a type with its bounds."""
    if "anyOf" in schema:
        return " or ".join(filter(None, map(_allowed, schema["anyOf"])))
    if "enum" in schema:
        return f"one of {', '.join(map(str, schema['enum']))}"
    bounds = [f"{sign} {schema[name]}" for name, sign in BOUNDS.items() if name in schema]
    return " ".join([TYPES.get(str(schema.get("type")), ""), *bounds]).strip()


def read(*keys: str) -> Any:
    """The values of the named keys ("split", "tasks.face.positive"), in order; one key gives one value.

    A stage that DVC runs gets what dvc.yaml declares under its `params:` and nothing else: with another key its
    outputs would go stale unseen. Raises StudyError for such a key, and for one that is not there.
    """
    _refuse_undeclared(keys)
    params = load()
    values = []
    for key in keys:
        value: Any = params
        for part in key.split("."):
            if isinstance(value, dict) and part not in value:
                raise StudyError(f"{key}: {paths.PARAMS} has no {part!r} there; it has {', '.join(value)}")
            value = value[part] if isinstance(value, dict) else getattr(value, part)
        values.append(value)
    return values[0] if len(values) == 1 else tuple(values)


def _refuse_undeclared(keys: tuple[str, ...]) -> None:
    if "DVC_STAGE" not in os.environ or not paths.PIPELINE.is_file():
        return
    stage = os.environ["DVC_STAGE"].rpartition(":")[2].split("@")[0]
    entry = yaml.safe_load(paths.PIPELINE.read_text(encoding="utf-8"))["stages"][stage]
    declared = entry.get("do", entry).get("params", [])
    # A template, as in variants.${item.variant}.arch, stands for one part of a key.
    allowed = "|".join(re.sub(r"\\\$\\\{.*?\\\}", "[^.]+", re.escape(name)) for name in declared)
    for key in keys:
        if not re.fullmatch(rf"({allowed})(\..*)?", key):
            raise StudyError(f"{stage} reads {key}; {paths.PIPELINE}: declare it under the `params` of {stage}")


def read_recipe(variant: str) -> Recipe:
    """The recipe of a variant, from the keys that the train stage declares."""
    values = read(*(f"variants.{variant}.{field}" for field in Recipe.model_fields))
    return Recipe.model_construct(**dict(zip(Recipe.model_fields, values, strict=True)))
