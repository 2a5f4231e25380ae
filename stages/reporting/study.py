"""What the report tells, as one value: the models of each task and what was counted before them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

import pandas as pd

from stages.figures.results import Result


@dataclass(frozen=True)
class Model:
    """A trained model with its log, its predictions, how it does on hard pictures, and its exported forms.

    `timing` and `export_timing` are there where they were measured.
    """

    result: Result
    log: str
    predictions: pd.DataFrame
    challenges: pd.DataFrame
    exported: Mapping[str, Any]
    timing: Mapping[str, Any] | None
    export_timing: Mapping[str, Any] | None

    @property
    def scores(self) -> dict[str, Any]:
        """The validation scores; accuracies in 0..1."""
        return self.result.scores


@dataclass(frozen=True)
class Part:
    """A task: its models in the order of params.yaml, or the reason why there are none."""

    task: str
    title: str
    positive: str | None
    models: list[Model]
    reason: str | None
    split: Mapping[str, Any]
    preprocess: Mapping[str, Any]
    leaks: Mapping[str, Any]
    differences: Mapping[str, Any]

    def variants(self) -> dict[str, list[Model]]:
        """The models of each variant, one per seed."""
        grouped: dict[str, list[Model]] = {}
        for model in self.models:
            grouped.setdefault(model.result.variant, []).append(model)
        return grouped


def majority_share(model: Model) -> float:
    """Accuracy in 0..1 of always naming the class with the most validation pictures."""
    support: list[int] = [values["support"] for values in model.scores["per_class"].values()]
    return max(support) / sum(support)


def spread(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation (of a sample; 0 for one value)."""
    return fmean(values), stdev(values) if len(values) > 1 else 0.0


@dataclass(frozen=True)
class Study:
    """All that the report holds."""

    parts: list[Part]
    download: Mapping[str, Any]
    source: str
    weights: str
