"""The keys of params.yaml, their types and bounds, and how they must agree."""

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from facestudy.project.addresses import Address
from facestudy.project.labels import label_form

Share = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
MAX_LISTED = 20  # seeds in a message
LARGEST_SIDE = 512  # of packed pictures
Side = Annotated[int, Field(ge=32, le=LARGEST_SIDE)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Precision = Literal["32-true", "bf16-mixed", "16-mixed", "auto"]

BUILT_IN_TASKS = {"face", "emotion"}  # whose epochs and columns may stay where a study takes one of them out
FIXED_SIZE = ("vit_", "maxvit_")  # vision transformers are built for the position of each patch


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

    def renamed(self, label: str) -> str:
        """What a label, in the form in which labels are compared, becomes."""
        return self.rename.get(label, label)

    def person_is_label(self) -> bool:
        """Whether the person serves as a label too, as in "who is it?", and is then renamed as one."""
        return self.columns.person in self.columns.tasks().values()

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

    @field_validator("rename")
    @classmethod
    def _in_the_form_of_labels(cls, rename: dict[str, str]) -> dict[str, str]:
        """Both sides as labels are compared, so that `{Happiness: happy}` finds happiness."""
        renamed: dict[str, str] = {}
        for label, becomes in rename.items():
            new = label_form(becomes)
            if renamed.setdefault(label_form(label), new) != new:
                raise ValueError(f"{label!r} is renamed twice, as labels are compared without case and blanks")
        return renamed


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
    location: Address | None
    sha256: Sha256 | None


class GitFolder(Layout):
    url: Address
    revision: str
    path: str


class Drive(Layout):
    url: Address


Source = Literal["sample", "folder", "archive", "git", "drive"]


class Data(Section):
    source: Source
    max_megapixels: Annotated[float, Field(gt=0, le=89)]  # Pillow itself warns above
    sample: Sample
    folder: Folder
    archive: Archive
    git: GitFolder
    drive: Drive

    def layout(self) -> Layout | None:
        """How the source's folder is laid out; None for drawn faces."""
        layout: Layout | None = None if self.source == "sample" else getattr(self, self.source)
        return layout


class Task(Section):
    title: str
    positive: str | None

    @field_validator("positive")
    @classmethod
    def _has_letters(cls, positive: str | None) -> str | None:
        if positive is not None and not label_form(positive):
            raise ValueError(f"{positive!r} is empty; name the label of the target person, or null for several classes")
        return positive


class Split(Section):
    validation: Annotated[float, Field(gt=0, lt=1)]
    test: Share
    folds: Annotated[int, Field(ge=0)]
    group: Literal["none", "person", "near_duplicate"]
    leaks: Literal["warn", "stop", "group"]


class OwnFile(Section):
    """A file that the user brings; by its hash another one under the same path is noticed."""

    path: str | None
    sha256: Sha256 | None


class HaarSettings(Section):
    scale_factor: Annotated[float, Field(gt=1, le=2)]
    min_neighbors: Annotated[int, Field(ge=0)]
    border: Annotated[float, Field(ge=0, le=1)]


class Preprocess(Section):
    size: Side
    margin: Annotated[float, Field(ge=-0.25, le=2)]
    detector: Literal["centerface", "haar", "yunet"]
    detector_file: OwnFile
    haar: HaarSettings
    no_face: Literal["whole", "leave_out"]
    several_faces: Literal["largest", "whole", "leave_out"]


class Augmentation(Section):
    """Random changes of a training picture; each picture draws its own."""

    flip: bool
    rotation: Annotated[float, Field(ge=0, le=180)]
    scale: Share
    shift: Share
    light: Share


class Pretrain(Section):
    source: Literal["sample", "folder"]
    path: str
    columns: Columns
    people: Annotated[int, Field(ge=2)]
    pictures: Annotated[int, Field(ge=2)]
    batch_size: Annotated[int, Field(ge=2)]
    lr: Positive
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    person_weight: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    augmentation: Augmentation
    precision: Precision


class Round(Section):
    size: Side
    epochs: Count


class Architecture(Section):
    rounds: list[Round]
    imagenet: Address
    file: OwnFile


class Weights(Section):
    source: Literal["pretrain", "imagenet", "file"]
    pretrain: Pretrain
    architectures: dict[Name, Architecture]


class Training(Section):
    epoch: Literal["last", "best"]
    histogram_bins: Annotated[int, Field(ge=2, le=512)]


class Recipe(Section):
    """How a variant is trained, whatever the task and wherever its weights come from."""

    arch: Name
    head: Literal["original", "pooled", "pooled_2x2", "pooled_3x3", "pooled_4x4"]
    trainable: Annotated[list[str], Field(min_length=1)]
    batch_size: Annotated[int, Field(ge=2)]
    optimizer: Literal["adam", "adamw", "sgd"]
    lr: Positive
    schedule: Literal["constant", "cosine", "warmup_cosine"]
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    class_weights: Literal["none", "balanced"]
    augmentation: Augmentation
    precision: Precision
    layout: Literal["channels_last", "contiguous"]
    compile: bool


class Variant(Recipe):
    """A recipe, its title, where its weights come from, and its epochs by task."""

    title: str
    weights: Literal["pretrained", "random"]
    epochs: dict[Name, Count]

    def recipe(self) -> Recipe:
        """The recipe alone."""
        return Recipe.model_construct(**{name: getattr(self, name) for name in Recipe.model_fields})


class Challenges(Section):
    strengths: Annotated[list[Annotated[int, Field(ge=1, le=5)]], Field(min_length=1)]


class Parameters(Section):
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
    def _agree(self) -> "Parameters":
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds: {self.seeds} holds a seed twice; each entry must be different")
        if self.split.validation + self.split.test >= 1:
            raise ValueError("split: validation and test together must be below 1, so that something is left to train")
        folds = self.split.folds
        if folds == 1:
            raise ValueError("split.folds: one fold leaves nothing to train on; 2 or more, or 0 for a single split")
        if folds and (len(self.seeds) != folds or len({seed % folds for seed in self.seeds}) < folds):
            shown = list(range(folds)) if folds <= MAX_LISTED else f"0 to {folds - 1}"
            raise ValueError(
                f"seeds: {self.seeds} must be {folds} for split.folds: {folds}, one whose remainder by {folds} is "
                f"each fold's number, as {shown}"
            )
        for arch, settings in self.weights.architectures.items():
            sizes = {stretch.size for stretch in settings.rounds} - {self.preprocess.size}
            if arch.startswith(FIXED_SIZE) and sizes:
                raise ValueError(
                    f"weights.architectures.{arch}.rounds: a vision transformer keeps one size; set that of "
                    f"preprocess.size, {self.preprocess.size}, in place of {sorted(sizes)}"
                )
        for name, variant in self.variants.items():
            if variant.arch not in self.weights.architectures:
                known = ", ".join(self.weights.architectures)
                raise ValueError(f"variants.{name}.arch: {variant.arch!r} is not under weights.architectures ({known})")
            missing, more = set(self.tasks) - set(variant.epochs), set(variant.epochs) - set(self.tasks)
            if missing or more - BUILT_IN_TASKS:
                tasks = ", ".join(self.tasks)
                raise ValueError(f"variants.{name}.epochs: must name each task once ({tasks})")
        return self
