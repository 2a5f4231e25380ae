"""What the report is made of, as one value: the models of each task and what was counted before them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

import pandas as pd

from facestudy.contracts.counts import DownloadReport, LeaksReport, PreprocessReport, PretrainingReport, SplitReport
from facestudy.contracts.differences import Differences
from facestudy.contracts.exports import ExportReport, ExportTiming
from facestudy.contracts.results import Result
from facestudy.contracts.scores import Scores
from facestudy.contracts.study import Study as Names
from facestudy.models.metadata import TrainingTiming
from facestudy.pages.markdown import plain
from facestudy.project import paths
from facestudy.project.files import Unavailable, missing, read_json
from facestudy.project.tables import read_csv

FIGURES = ("curves", "confusion", "calibration", "gradients", "parameters")


@dataclass(frozen=True)
class Model:
    """A trained model with its log, its validation predictions, its accuracy on corrupted pictures, and its exports.

    `timing` and `export_timing` are None where nothing was measured.
    """

    result: Result
    log: str
    predictions: pd.DataFrame
    corruptions: pd.DataFrame
    exported: ExportReport
    timing: TrainingTiming | None
    export_timing: ExportTiming | None

    @classmethod
    def read(cls, task: str, variant: str, title: str, seed: int) -> "Model | Unavailable":
        """Raises StudyError where a file of an earlier stage is missing or broken, but for timings."""
        result = Result.read(task, variant, title, seed)
        if isinstance(result, Unavailable):
            return result
        folder = paths.model_metrics(task, variant, seed)
        predictions = read_csv(folder / "predictions.csv")
        timing, export_timing = (paths.timing(task, variant, seed, stage) for stage in ("train", "export"))
        return cls(
            result,
            _read(folder / "epochs.log").decode("utf-8", "replace"),
            predictions[predictions["split"] == "validation"],
            read_csv(folder / "corruptions.csv", text=False),
            read_json(paths.export_report(task, variant, seed), ExportReport),
            read_json(timing, TrainingTiming) if timing.exists() else None,
            read_json(export_timing, ExportTiming) if export_timing.exists() else None,
        )

    @property
    def scores(self) -> Scores:
        """The validation scores; accuracies in 0..1."""
        return self.result.scores

    @property
    def title(self) -> str:
        """The variant's title as Markdown."""
        return plain(self.result.title)

    @property
    def majority_share(self) -> float:
        """Accuracy in 0..1 of always predicting the class with the most validation pictures."""
        support = [values.support for values in self.scores.per_class.values()]
        return max(support) / sum(support)


@dataclass(frozen=True)
class Part:
    """A task: its models in the order of params.yaml, or the reason why there are none."""

    task: str
    title: str
    models: list[Model]
    reason: str | None
    split: SplitReport
    preprocess: PreprocessReport
    leaks: LeaksReport
    differences: Differences

    @classmethod
    def read(cls, task: str, names: Names) -> "Part":
        """Raises StudyError as `Model.read` does."""
        folder = paths.task_metrics(task)
        models = [
            Model.read(task, variant, title, seed) for variant, title in names.variants.items() for seed in names.seeds
        ]
        reason = next((model.reason for model in models if isinstance(model, Unavailable)), None)
        return cls(
            task,
            names.task(task).title,
            [model for model in models if isinstance(model, Model)],
            reason,
            read_json(folder / "split.json", SplitReport),
            read_json(folder / "preprocess.json", PreprocessReport),
            read_json(folder / "leaks.json", LeaksReport),
            read_json(paths.differences(task), Differences),
        )

    def variants(self) -> dict[str, list[Model]]:
        """The models of each variant, one per seed."""
        grouped: dict[str, list[Model]] = {}
        for model in self.models:
            grouped.setdefault(model.result.variant, []).append(model)
        return grouped

    @property
    def several_seeds(self) -> bool:
        """Whether a variant was trained more than once."""
        return len(self.models) > len(self.variants())


@dataclass(frozen=True)
class Study:
    """All that the report shows."""

    parts: list[Part]
    download: DownloadReport
    source: str
    weights: str
    pretraining: PretrainingReport

    @classmethod
    def read(cls, source: str, weights: str) -> "Study":
        """`source` and `weights` are those of params.yaml; raises StudyError as `Model.read` does."""
        names = Names.read()
        parts = [Part.read(task, names) for task in names.tasks]
        download = read_json(paths.DOWNLOAD_REPORT, DownloadReport)
        return cls(parts, download, source, weights, read_json(paths.PRETRAINING_REPORT, PretrainingReport))

    def pictures(self) -> list[str]:
        """The pictures of the report, relative to plots/, those of the first seeds first."""
        ranked = []
        for part in self.parts:
            files = [paths.comparison(part.task), paths.corruptions(part.task)] if part.models else []
            ranked += [(0, file) for file in files]
            for models in part.variants().values():
                for rank, model in enumerate(models):
                    folder = paths.model_figures(part.task, model.result.variant, model.result.seed)
                    ranked += [(rank, folder / f"{figure}.png") for figure in FIGURES]
        return [str(file.relative_to(paths.PLOTS)) for _, file in sorted(ranked, key=lambda pair: pair[0])]


def read_picture(name: str) -> bytes:
    """The PNG bytes of one of `Study.pictures`; raises StudyError where it is missing."""
    return _read(paths.PLOTS / name)


def spread(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation (of a sample; 0 for one value)."""
    return fmean(values), stdev(values) if len(values) > 1 else 0.0


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise missing(path) from None
