"""A study of two tasks with exported models whose weights are random, for tests of predict and the demo page."""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd

from facestudy.contracts.scores import Scores
from facestudy.contracts.study import Study, TaskNames
from facestudy.csv_writer import write_csv
from facestudy.exports.conversion import described, save
from facestudy.exports.exported import Exported
from facestudy.models import checkpoints, networks
from facestudy.models.metadata import CheckpointMetadata
from facestudy.models.pictures import MEAN, STD
from facestudy.project import paths
from facestudy.project.files import write_json
from facestudy.project.parameters import load
from facestudy.synthetic.photo_sets import collect_pretraining
from stages.export import export
from tests.inputs import write_params, write_preparation

SIZE = 32
TEMPERATURE = 2.0
CLASSES = {"face": ["other", "target"], "emotion": ["<b>angry", "happy", "sad"]}
VARIANTS = {"resnet18_scratch": "ResNet18 from scratch", "resnet18_pretrained": "ResNet18 pretrained"}


def make_exports(folder: Path, size: int = SIZE) -> None:
    """Fill the folder, in which the caller stands, with what `predict` needs, and `photos/` with drawn people."""
    write_params(folder, {"preprocess.size": size})
    tasks = {task: TaskNames(title=f"{task.title()} recognition", positive=None) for task in CLASSES}
    write_json(paths.STUDY, Study(tasks=tasks, variants=VARIANTS, seeds=[0]))
    for task, classes in CLASSES.items():
        images = np.random.default_rng(0).integers(0, 256, (40, size, size, 3), dtype=np.uint8)
        paths.prepared(task).mkdir(parents=True)
        np.save(paths.prepared(task) / "images.npy", images)
        index = pd.DataFrame({"file": [f"{row}.png" for row in range(40)], "label": (classes * 20)[:40]})
        write_csv(paths.prepared(task) / "index.csv", index.assign(split=["train"] * 20 + ["validation"] * 20))
        write_preparation(task)
        for accuracy, variant in zip((0.8, 0.9), VARIANTS, strict=True):
            make_checkpoint(task, variant, size)
            write_json(paths.model_metrics(task, variant, 0) / "scores.json", _scores(task, variant, accuracy))
        first, second = VARIANTS
        export(task, first, 0)
        for form in ("onnx", "int8"):  # of the same weights
            of_first, of_second = (paths.exported(task, variant, 0, form) for variant in (first, second))
            rewrite_export(of_first, of_second, variant=second, validation_accuracy=accuracy)
    collect_pretraining(4, 4, ["happy"], 128, 0, folder / "photos")


def rewrite_export(source: Path, target: Path, **changes: Any) -> None:
    """Write an exported model with other metadata; to convert its network again would take seconds."""
    metadata = Exported.load(source).metadata.model_copy(update=changes)
    save(described(onnx.load(source), metadata), target)


def make_checkpoint(task: str, variant: str, size: int = SIZE) -> None:
    """A network with random weights, as `train` leaves it."""
    recipe = load().variants[variant].recipe()
    network = networks.build(recipe.arch, recipe.head, len(CLASSES[task]), 0, size=size)
    metadata = CheckpointMetadata(
        task=task, variant=variant, seed=0, classes=CLASSES[task], positive=None, weights="random weights",
        recipe=recipe, epochs=1, rule="last", size=size, mean=MEAN, std=STD, parameters={}, run_id="none", kept=1,
    )  # fmt: skip
    checkpoints.save(paths.checkpoint(task, variant, 0), network.state_dict(), metadata)


def _scores(task: str, variant: str, accuracy: float) -> Scores:
    """The temperature and the accuracy count here; all else is empty."""
    interval = (0.0, 1.0)
    bins: dict[str, list[float]] = {"pictures": [], "confidence": [], "accuracy": []}
    calibration = {"expected_calibration_error": 0.0, "brier_score": 0.0, "loss": 0.0, "bins": bins}
    values: dict[str, Any] = {
        "reason": None, "task": task, "variant": variant, "seed": 0, "classes": CLASSES[task], "positive": None,
        "pictures": 20, "epoch": {"kept": 1, "rule": "last"}, "weights": "random weights", "accuracy": accuracy,
        "accuracy_interval": interval, "loss": 0.0, "balanced_accuracy": accuracy,
        "balanced_accuracy_interval": interval, "macro_f1": accuracy, "macro_f1_interval": None, "per_class": {},
        "roc_auc": None, "roc_auc_interval": None,
        "average_precision": None, "areas_reason": None, "true_accepts": None,
        "calibration": {
            **calibration, "fitted_temperature": TEMPERATURE, "with_temperature": None, "temperature": TEMPERATURE,
            "not_applied": None,
        },
        "confusion_matrix": [], "confusion_matrix_zscore": [], "false_positives": {}, "false_negatives": {},
        "by_group": {}, "generalization_gap": 0.0, "epochs_to": {}, "parameters": {"trainable": 1, "total": 1},
        "train": {"accuracy": accuracy, "loss": 0.0}, "settings": {},
    }  # fmt: skip
    return Scores.model_validate(values)


def copy_exports(source: Path, target: Path) -> None:
    """A study of one's own; its files are links, since what writes here replaces a file as a whole."""
    shutil.copytree(source, target, dirs_exist_ok=True, copy_function=os.link)
