"""What is counted before any training: of download and pretraining and, of each task, split, leaks and preprocess."""

from typing import Literal

from pydantic import Field

from facestudy.project.files import Contract


class LabelCount(Contract):
    """Instead of the names of the labels, where there are many."""

    kind: Literal["totals"] = Field(description="tells it from pictures by label, whose values are numbers")
    labels: int = Field(description="number of different labels")
    pictures: int = Field(description="pictures with a label")


class DownloadReport(Contract):
    """metrics/download.json; it is in Git, so it holds counts alone and names nobody."""

    source: str = Field(description="data.source")
    pictures: int = Field(description="pictures in data/raw")
    copies: int = Field(description="exact copies, counted once")
    rejected: dict[str, int] = Field(description="pictures left out, by the kind of reason")
    labels: dict[str, LabelCount | dict[str, int]] = Field(
        description="by task: pictures by label, or, of more than 20 labels, how many there are"
    )


class PretrainingReport(Contract):
    """metrics/pretraining.json: what is pretrained on, and what of it the study has too"""

    pictures: int = Field(description="pictures that are pretrained on; 0 where nothing is pretrained")
    people: int = Field(description="people on them, as far as known")
    exact_copies: int = Field(description="photos left out: a picture of the study has the same pixels")
    near_copies: int = Field(description="photos left out: a picture of the study looks the same")
    shared_people: int = Field(description="people whose name a person of the study has too; they are not left out")
    pictures_of_them: int = Field(description="pictures of them that are pretrained on")


class SplitReport(Contract):
    """metrics/<task>/split.json"""

    reason: str | None = Field(description="why the task is empty")
    classes: list[str] = Field(description="in the order of the networks' outputs")
    counts: dict[str, dict[str, int]] = Field(description="pictures by split and class")
    group: str = Field(description="split.group")
    leaks: str = Field(description="split.leaks")
    folds: int = Field(description="split.folds")


class LeaksReport(Contract):
    """metrics/<task>/leaks.json: what is on both sides of the split"""

    rule: Literal["warn", "stop", "group"] = Field(description="split.leaks")
    exact_copies: int = Field(description="pairs of pictures with the same pixels")
    near_copies: int = Field(description="pairs of pictures that look the same")
    people: int = Field(description="people, the one that the task asks for left out")
    pictures_of_them: int = Field(description="their pictures outside train")
    people_known: bool = Field(description="whether the source names people")


class PreprocessReport(Contract):
    """metrics/<task>/preprocess.json"""

    reason: str | None = Field(description="why the task is empty")
    found: dict[str, dict[str, int]] = Field(description="by class: pictures with one, no (none) and several faces")
    left_out: dict[str, int] = Field(description="by class: pictures left out")
    left_out_files: list[str] = Field(description="their ids")
