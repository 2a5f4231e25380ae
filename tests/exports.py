"""A study of two tasks with exported models whose weights are random, for tests of predict and the page."""

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from stages import paths
from stages.export import export
from stages.params import load
from stages.sources.sample import collect_pretraining
from stages.training import checkpoints, networks
from stages.training.pictures import MEAN, STD
from stages.writing import write_csv, write_json
from tests.photos import write_params

SIZE = 32
CLASSES = {"face": ["other", "target"], "emotion": ["<b>angry", "happy", "sad"]}
VARIANTS = {"resnet18_scratch": "ResNet18 from scratch", "resnet18_pretrained": "ResNet18 pretrained"}


def make_exports(folder: Path, size: int = SIZE) -> None:
    """Fill the folder, in which the caller stands, with what `predict` needs, and `photos/` with drawn people."""
    write_params(folder, {"preprocess.size": size})
    tasks = {task: {"title": task.title(), "positive": None} for task in CLASSES}
    write_json(paths.STUDY, {"tasks": tasks, "variants": VARIANTS, "seeds": [0]})
    for task, classes in CLASSES.items():
        images = np.random.default_rng(0).integers(0, 256, (40, size, size, 3), dtype=np.uint8)
        paths.prepared(task).mkdir(parents=True)
        np.save(paths.prepared(task) / "images.npy", images)
        index = pd.DataFrame(
            {"file": [f"{row}.png" for row in range(40)], "label": [classes[row % 2] for row in range(40)]}
        )
        write_csv(paths.prepared(task) / "index.csv", index.assign(split=["train"] * 20 + ["validation"] * 20))
        for place, variant in enumerate(VARIANTS):
            make_checkpoint(task, variant, size)
            scores = {"reason": None, "accuracy": 0.8 + 0.1 * place, "calibration": {"temperature": 2.0}}
            write_json(paths.model_metrics(task, variant, 0) / "scores.json", scores)
            export(task, variant, "0")
    collect_pretraining(4, 4, ["happy"], 128, 0, folder / "photos")


def make_checkpoint(task: str, variant: str, size: int = SIZE) -> None:
    """A network with random weights, as `train` leaves it."""
    recipe = load().variants[variant].model_dump(exclude={"weights", "epochs"})
    network = networks.build(recipe["arch"], recipe["head"], len(CLASSES[task]), 0, size=size)
    about = {
        "task": task, "variant": variant, "seed": 0, "classes": CLASSES[task], "positive": None, "recipe": recipe,
        "size": size, "mean": MEAN, "std": STD,
    }  # fmt: skip
    checkpoints.save(paths.checkpoint(task, variant, 0), network.state_dict(), about)


def copy_exports(source: Path, target: Path) -> None:
    """A study of one's own; its files are links, since what writes here puts a new file in a place."""
    shutil.copytree(source, target, dirs_exist_ok=True, copy_function=os.link)
