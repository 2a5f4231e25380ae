"""A study's metric files and histograms, made from plain numbers, for tests of plot, compare and report."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from shutil import copyfile
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors.numpy import save_file

from facestudy.contracts import corruptions
from facestudy.contracts.counts import DownloadReport, LeaksReport, PreprocessReport, PretrainingReport, SplitReport
from facestudy.contracts.differences import Differences
from facestudy.contracts.exports import ExportReport, ExportTiming
from facestudy.contracts.scores import GroupScores, KeptEpoch, ParameterCounts, Scores, SplitScores, TrainScores
from facestudy.contracts.study import Study, TaskNames
from facestudy.csv_writer import write_csv
from facestudy.evaluation import operating_points, robustness
from facestudy.evaluation.differences import differences, seed_differences
from facestudy.evaluation.scores import epochs_to, score
from facestudy.models.metadata import EmptyMetadata, HistogramMetadata, TrainingTiming, Versioned
from facestudy.project import paths
from facestudy.project.files import Unavailable, read_json, write_json

ROOT = Path(__file__).parents[1]
FACE = ["other", "target"]
EMOTION = ["angry", "happy", "neutral", "sad", "surprise"]
TITLES = {"vgg16": "VGG16", "resnet18_scratch": "ResNet18 from scratch", "resnet18_pretrained": "ResNet18 pretrained"}
ACCURACY = {"vgg16": 0.93, "resnet18_scratch": 0.90, "resnet18_pretrained": 0.97}
KINDS = ("curves", "confusion", "calibration", "gradients", "parameters")
READ_BY_COMPARE = ("history.csv", "scores.json", "predictions.csv", "corruptions.csv")
VGG_NAMES = ["classifier.0.weight", "classifier.0.bias", "classifier.3.weight", "classifier.3.bias"]
RESNET_NAMES = [
    "conv1.weight",
    "bn1.weight",
    "bn1.bias",
    *(
        f"layer{layer}.{block}.{part}"
        for layer in range(1, 5)
        for block in range(2)
        for part in ("conv1.weight", "bn1.weight", "bn1.bias", "conv2.weight", "bn2.weight", "bn2.bias")
    ),
    "fc.weight",
    "fc.bias",
]


def make_study(root: Path, **choices: Any) -> None:
    """params.yaml, data/study.json, data/histograms/, metrics/ and timings/ below `root`; choices as `_Study` has."""
    _Study(root, **choices).make()


@dataclass(frozen=True)
class _Study:
    root: Path
    seeds: tuple[int, ...] = (0,)
    variants: Iterable[str] = tuple(TITLES)
    emotions: tuple[str, ...] | list[str] = tuple(EMOTION)
    empty: str | None = None  # the task without labels
    rule: Literal["last", "best"] = "last"
    histograms: bool = True

    def make(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        copyfile(ROOT / paths.PARAMS, self.root / paths.PARAMS)
        tasks = {
            "face": TaskNames(title="Face recognition", positive="target"),
            "emotion": TaskNames(title="Emotion recognition", positive=None),
        }
        variants = {variant: TITLES[variant] for variant in self.variants}
        write_json(self.root / paths.STUDY, Study(tasks=tasks, variants=variants, seeds=list(self.seeds)))
        labels = {"face": {"target": 215, "other": 861}, "emotion": dict.fromkeys(self.emotions, 200)}
        download = DownloadReport(source="sample", pictures=2076, copies=3, rejected={"truncated": 2}, labels=labels)
        write_json(self.root / paths.DOWNLOAD_REPORT, download)
        pretraining = dict.fromkeys(PretrainingReport.model_fields, 0) | {"pictures": 4000, "people": 400}
        write_json(self.root / paths.PRETRAINING_REPORT, PretrainingReport(**pretraining))
        for number, (task, classes) in enumerate({"face": FACE, "emotion": list(self.emotions)}.items()):
            reason = f"no picture has a label for {task}" if task == self.empty else None
            self._counts(task, [] if reason else classes, reason)
            for variant in variants:
                for seed in self.seeds:
                    if reason:
                        _Files(self.root, task, variant, seed).make_empty(reason)
                    else:
                        random = np.random.default_rng([seed, number, list(TITLES).index(variant)])
                        _Model(self.root, task, variant, seed, classes, random).make(self.rule, self.histograms)
            make_differences(self.root, task, [] if reason else self.seeds, variants)

    def _counts(self, task: str, classes: list[str], reason: str | None) -> None:
        folder = self.root / paths.task_metrics(task)
        sizes = {label: 43 if label == "target" else 173 if label == "other" else 40 for label in classes}
        counts = {"train": {label: 4 * size for label, size in sizes.items()}, "validation": sizes} if classes else {}
        split = SplitReport(reason=reason, classes=classes, counts=counts, group="none", leaks="warn", folds=0)
        write_json(folder / "split.json", split)
        faces = {label: {"one": 5 * size - 6, "none": 4, "several": 2} for label, size in sizes.items()}
        left_out = dict.fromkeys(classes, 0)
        prepared = PreprocessReport(reason=reason, found=faces, left_out=left_out, left_out_files=[])
        write_json(folder / "preprocess.json", prepared)
        pairs, people = {"exact_copies": 1, "near_copies": 2}, {"people": 7, "pictures_of_them": 30}
        write_json(folder / "leaks.json", LeaksReport(rule="warn", **pairs, **people, people_known=True))


def make_differences(root: Path, task: str, seeds: Iterable[int], variants: Iterable[str]) -> None:
    """What `compare` finds between the models of a task, whose metrics are below `root`."""
    by_seed = {}
    accuracies: dict[str, list[float]] = {variant: [] for variant in variants}
    for seed in seeds:
        models = {variant: root / paths.model_metrics(task, variant, seed) for variant in accuracies}
        tables = {variant: pd.read_csv(model / "predictions.csv", dtype=str) for variant, model in models.items()}
        by_seed[str(seed)] = differences(tables)
        for variant, model in models.items():
            accuracies[variant].append(read_json(model / "scores.json", Scores).accuracy)
    over_seeds = seed_differences(accuracies) if len(by_seed) > 1 else []
    write_json(root / paths.differences(task), Differences(by_seed=by_seed, over_seeds=over_seeds))


def stand_in_figures(root: Path, picture_size: int = 100) -> None:
    """What `plot` and `compare` leave for the report, with noise of the given size in bytes in place of pictures."""
    noise = np.random.default_rng([0, 0]).bytes(picture_size)
    for scores in (root / paths.METRICS).glob("*/*/*/scores.json"):
        task, variant, seed = scores.parts[-4:-1]
        figures = paths.model_figures(task, variant, int(seed))
        names = [*(figures / f"{kind}.png" for kind in KINDS), paths.comparison(task), paths.corruptions(task)]
        for path in names:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(noise)


def write(path: Path, values: Any) -> None:
    """Write JSON that no contract has checked."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values, indent=2), encoding="utf-8")


@dataclass(frozen=True)
class _Files:
    root: Path
    task: str
    variant: str
    seed: int

    @property
    def folder(self) -> Path:
        return self.root / paths.model_metrics(self.task, self.variant, self.seed)

    def make_empty(self, reason: str) -> None:
        """What the stages write of a model of a task without labels."""
        columns = ["epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "lr", "gradient_norm"]
        write_csv(self.folder / "history.csv", pd.DataFrame(columns=columns))
        (self.folder / "epochs.log").write_text("")
        write_csv(
            self.folder / "predictions.csv",
            pd.DataFrame(columns=["file", "split", "person_group", "truth", "prediction"]),
        )
        write_csv(self.folder / "corruptions.csv", pd.DataFrame(columns=list(corruptions.COLUMNS)))
        write_csv(self.folder / "roc.csv", pd.DataFrame(columns=operating_points.COLUMNS))
        write_json(self.folder / "scores.json", Unavailable(reason=reason))
        export = self.root / paths.export_report(self.task, self.variant, self.seed)
        write_json(export, Unavailable(reason=reason))
        self.save_histograms({}, EmptyMetadata(reason=reason))

    def save_histograms(self, arrays: dict[str, NDArray[np.float32]], metadata: Versioned) -> None:
        path = self.root / paths.histograms(self.task, self.variant, self.seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(arrays, path, metadata={"metadata": metadata.model_dump_json()})


@dataclass(frozen=True)
class _Model(_Files):
    classes: list[str]
    random: np.random.Generator

    @property
    def epochs(self) -> int:
        return 10 if self.task == "face" or self.variant == "vgg16" else 15

    def make(self, rule: Literal["last", "best"], histograms: bool) -> None:
        """What the stages write of a trained model."""
        classes, folder = self.classes, self.folder
        truth = np.repeat(np.arange(len(classes)), [173, 43] if classes == FACE else [40] * len(classes))
        predicted = truth.copy()
        wrong = self.random.choice(len(truth), round(len(truth) * (1 - ACCURACY[self.variant])), replace=False)
        predicted[wrong] = (truth[wrong] + self.random.choice([1, 3], len(wrong))) % len(classes)
        probabilities = np.full((len(truth), len(classes)), 0.1 / (len(classes) - 1))
        probabilities[np.arange(len(truth)), predicted] = 0.9
        positive = "target" if classes == FACE else None
        validation = _score(truth.tobytes(), probabilities.tobytes(), tuple(classes), positive)
        history = make_history(self.epochs, validation.accuracy, self.random)
        write_csv(folder / "history.csv", history)
        lines = [
            f"[{self.variant} {self.task}] Epoch {row.epoch}/{self.epochs} | "
            f"Train Loss: {row.train_loss:.4f}, Acc: {row.train_accuracy:.4f} | "
            f"Val Loss: {row.val_loss:.4f}, Acc: {row.val_accuracy:.4f}\n"
            for row in history.itertuples()
        ]
        (folder / "epochs.log").write_text("".join(lines), encoding="utf-8")
        write_json(folder / "scores.json", self._scores(validation, history, positive, rule))
        names = np.array(classes)
        table = pd.DataFrame({"file": [f"{number:016x}.png" for number in range(len(truth))], "split": "validation"})
        table = table.assign(person_group=np.arange(len(truth)), truth=names[truth], prediction=names[predicted])
        table = table.join(pd.DataFrame(probabilities, columns=[f"p_{label}" for label in classes]))
        write_csv(folder / "predictions.csv", table)
        rows = []
        for strength in (1, 3, 5):
            harder = predicted.copy()
            harder[self.random.choice(len(truth), 12 * (strength - 1), replace=False)] = 0
            outcome = robustness.outcome(truth, harder, 1 if positive else None, np.arange(len(truth)))
            rows += [{"kind": kind, "strength": strength, **outcome} for kind in ("mask", "low_light")]
        write_csv(folder / "corruptions.csv", pd.DataFrame(rows, columns=list(corruptions.COLUMNS)))
        points = pd.DataFrame(columns=operating_points.COLUMNS)
        if positive:
            points = operating_points.operating_points(truth == 1, probabilities[:, 1])
        write_csv(folder / "roc.csv", points)
        self._export_and_timings(validation.accuracy, len(truth))
        if histograms:
            self._histograms()

    def _scores(
        self, validation: SplitScores, history: pd.DataFrame, positive: str | None, rule: Literal["last", "best"]
    ) -> Scores:
        last = history.iloc[-1]
        trainable = 2_000_000 if self.variant == "vgg16" else 11_177_538
        dim = GroupScores(pictures=20, accuracy=0.8, accuracy_interval=(0.6, 0.9), others_accuracy=0.93, p=0.3)
        weights = "pretrained on 4000 drawn pictures of 400 people"
        return Scores(
            reason=None,
            task=self.task,
            variant=self.variant,
            seed=self.seed,
            classes=self.classes,
            positive=positive,
            pictures=sum(scores.support for scores in validation.per_class.values()),
            epoch=KeptEpoch(kept=self.epochs, rule=rule),
            weights="random weights" if "scratch" in self.variant else weights,
            **dict(validation) | {"loss": float(last.val_loss), "by_group": {"light": {"dim": dim}}},
            generalization_gap=float(last.train_accuracy - last.val_accuracy),
            epochs_to=epochs_to(history),
            parameters=ParameterCounts(trainable=trainable, total=max(trainable, 14_700_000)),
            train=TrainScores(accuracy=float(last.train_accuracy), loss=float(last.train_loss)),
            settings={"batch_size": 32, "lr": 0.001, "trainable": ["all"], "augmentation": {"flip": True}},
        )

    def _export_and_timings(self, accuracy: float, pictures: int) -> None:
        model = (self.task, self.variant, self.seed)
        report = ExportReport(
            reason=None,
            pictures=pictures,
            largest_probability_difference=4.2e-7,
            accuracy={form: accuracy - 0.01 * (form == "int8") for form in ("torch", "onnx", "int8")},
            bytes={"torch": 45_000_000, "onnx": 44_700_000, "int8": 11_300_000},
        )
        write_json(self.root / paths.export_report(*model), report)
        latency = {"torch": 9.5, "onnx": 4.25, "int8": 0.75}
        write_json(self.root / paths.timing(*model, "export"), ExportTiming(latency_ms=latency, threads=2))
        seconds, memory = (41.5, 812.5) if self.variant == "vgg16" else (95.25, 1204.0)
        speed, machine = 8600 / seconds, {"device": "cpu", "threads": 2, "processes": 1}
        timing = TrainingTiming(seconds=seconds, pictures_per_second=speed, peak_memory_mb=memory, **machine)
        write_json(self.root / paths.timing(*model, "train"), timing)

    def _histograms(self) -> None:
        names = VGG_NAMES if self.variant == "vgg16" else RESNET_NAMES
        arrays = {}
        for kind, rows, tail in (("gradient", self.epochs, 2), ("parameter", self.epochs + 1, 8)):
            scales = [0.02 * np.exp(-row / 4) if kind == "gradient" else 0.05 + 0.004 * row for row in range(rows)]
            drawn = [[scale * self.random.standard_t(tail, 400) for _ in names] for scale in scales]
            pairs = [[np.histogram(values, bins=64) for values in row] for row in drawn]
            for position, part in enumerate(("counts", "edges")):
                arrays[f"{kind}_{part}"] = np.array([[pair[position] for pair in row] for row in pairs], np.float32)
        self.save_histograms(arrays, HistogramMetadata(parameters=names))


def make_history(epochs: int, final: float, random: np.random.Generator) -> pd.DataFrame:
    """The history of a training that ends at a validation accuracy of `final`."""
    rise = 1 - np.exp(-np.arange(1, epochs + 1) / 2.2)
    rise /= rise[-1]
    val_accuracy = 0.6 + (final - 0.6) * rise + np.append(random.normal(0, 0.008, epochs - 1), 0)
    return pd.DataFrame(
        {
            "epoch": np.arange(1, epochs + 1),
            "train_loss": 0.9 - 0.85 * rise,
            "train_accuracy": 0.55 + 0.445 * rise,
            "val_loss": 0.8 - (0.8 - 3 * (1 - final)) * rise + random.normal(0, 0.01, epochs),
            "val_accuracy": np.clip(val_accuracy, 0, 1),
            "lr": 0.001,
            "gradient_norm": 2.0 - 1.5 * rise,
        }
    )


@cache
def _score(truth: bytes, probabilities: bytes, classes: tuple[str, ...], positive: str | None) -> SplitScores:
    """The real scores, computed once for the same numbers."""
    own = np.frombuffer(truth, dtype=np.int64)
    return score(own, np.frombuffer(probabilities).reshape(len(own), -1), list(classes), positive)
