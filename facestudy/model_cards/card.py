"""The card of a variant: its exported models, one for each seed, from what the stages have measured."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from facestudy.contracts.corruptions import TITLES
from facestudy.contracts.counts import DownloadReport, LeaksReport, PreprocessReport, SplitReport
from facestudy.contracts.exports import ExportReport
from facestudy.contracts.scores import Scores, SplitScores
from facestudy.contracts.study import Study, TaskNames
from facestudy.model_cards.licences import CODE, Origins
from facestudy.pages.markdown import render
from facestudy.project import paths
from facestudy.project.files import Unavailable, missing, read_json, read_result, sha256

TEMPLATE = Path(__file__).with_name("card.md.j2")
PACKAGES = ("torch", "torchvision", "onnx", "onnxruntime")
SOURCES = {
    "sample": "drawn faces",
    "folder": "photos in a folder of the user",
    "archive": "photos in an archive of the user",
    "git": "photos in a Git repository",
    "drive": "photos in a Google Drive folder",
}


@dataclass(frozen=True)
class Model:
    """A model with its exports; the rows of `corruptions` are corruptions.csv."""

    seed: int
    scores: Scores
    exported: ExportReport
    corruptions: list[dict[str, str]]

    @classmethod
    def read(cls, task: str, variant: str, seed: int) -> "Model | Unavailable":
        """Or the reason why there is none. Raises StudyError where a file is missing or broken."""
        folder = paths.model_metrics(task, variant, seed)
        scores = read_result(folder / "scores.json", Scores)
        exported = read_result(paths.export_report(task, variant, seed), ExportReport)
        if isinstance(scores, Unavailable) or isinstance(exported, Unavailable):
            return scores if isinstance(scores, Unavailable) else Unavailable(reason=str(exported.reason))
        with _opened(folder / "corruptions.csv") as file:
            return cls(seed, scores, exported, list(csv.DictReader(file)))


@dataclass(frozen=True)
class Card:
    """All that a card shows: the models in the order of `seeds`, or the reason why there are none."""

    task: str
    names: TaskNames
    variant: str
    title: str
    models: list[Model]
    reason: str | None
    download: DownloadReport
    split: SplitReport
    preprocess: PreprocessReport
    leaks: LeaksReport
    origins: Origins
    study_seed: int

    @classmethod
    def read(cls, task: str, variant: str, origins: Origins, study_seed: int) -> "Card":
        """Raises StudyError where a file of an earlier stage is missing or broken."""
        study = Study.read()
        every = [Model.read(task, variant, seed) for seed in study.seeds]
        folder = paths.task_metrics(task)
        return cls(
            task,
            study.task(task),
            variant,
            study.title(variant),
            [model for model in every if isinstance(model, Model)],
            next((model.reason for model in every if isinstance(model, Unavailable)), None),
            read_json(paths.DOWNLOAD_REPORT, DownloadReport),
            read_json(folder / "split.json", SplitReport),
            read_json(folder / "preprocess.json", PreprocessReport),
            read_json(folder / "leaks.json", LeaksReport),
            origins,
            study_seed,
        )

    def markdown(self) -> str:
        """The card: what hubs read in YAML, then the text."""
        front = yaml.safe_dump(self._front_matter(), sort_keys=False, allow_unicode=True, width=10_000)
        body = render(
            TEMPLATE,
            card=self,
            origins=self.origins,
            code_licence=CODE,
            source=SOURCES[self.origins.data],
            corruption_titles=TITLES,
            hashes={path.as_posix(): sha256(path) for path in (paths.RAW / "index.csv", paths.split(self.task))},
            versions=[f"{name} {version(name)}" for name in PACKAGES],
        )
        return f"---\n{front}---\n\n{body}"

    def _front_matter(self) -> dict[str, Any]:
        head: dict[str, Any] = {
            "license": self.origins.identifier,
            "library_name": "onnx",
            "pipeline_tag": "image-classification",
            "tags": ["faces", self.task, self.variant],
        }
        if not self.models:
            return head
        results = [result for model in self.models for result in self._results(model)]
        name = f"{self.names.title}: {self.title}"
        return head | {"metrics": ["accuracy", "f1"], "model-index": [{"name": name, "results": results}]}

    def _results(self, model: Model) -> Iterator[dict[str, Any]]:
        """One for each split that was scored; shares in 0..1."""
        splits: dict[str, SplitScores] = {"validation": model.scores}
        if model.scores.test is not None:
            splits["test"] = model.scores.test
        for split, scores in splits.items():
            dataset = {"type": self.origins.data, "name": SOURCES[self.origins.data], "split": split}
            metrics = {"accuracy": scores.accuracy, "f1": scores.macro_f1}
            names = {"accuracy": "accuracy", "f1": "macro F1"}
            yield {
                "task": {"type": "image-classification", "name": self.names.title},
                "dataset": {**dataset, "args": {"seed": model.seed}},
                "metrics": [
                    {"type": key, "value": value, "name": f"{split} {names[key]}, seed {model.seed}"}
                    for key, value in metrics.items()
                ],
            }


def _opened(table: Path) -> Any:
    try:
        return table.open(encoding="utf-8", newline="")
    except FileNotFoundError:
        raise missing(table) from None
