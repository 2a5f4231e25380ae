"""The study that `benchmarks.gpu` trains: drawn at the networks' own size, and packed without a detector."""

import math
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
from ruamel.yaml import YAML

from facestudy import presets
from facestudy.csv_writer import write_csv
from facestudy.models import checkpoints, networks
from facestudy.models.metadata import WeightsMetadata
from facestudy.models.packed import Packed, class_order
from facestudy.project import parameters, paths
from facestudy.project.sections import Parameters, Recipe
from facestudy.splitting.assignment import assign
from facestudy.synthetic import photo_sets

ROOT = Path(__file__).parents[1]
INDEX = ["file", "label", "split", "light", "occlusion"]
SMALL: dict[str, Any] = {
    "preprocess": {"size": 32},
    "data": {
        "sample": {"size": 32, "target_pictures": 12, "other_pictures": 28, "look_alikes": 2, "emotion_pictures": 40}
    },
}
# Networks in place of the variants' own, one with frozen first layers too: VGG16's head has 120 million parameters.
SMALL_NETWORKS = {"vgg16": "mobilenet_v3_small", "resnet18_scratch": "shufflenet_v2_x0_5"}
SMALL_RECIPE = {"epochs": {"face": 4, "emotion": 2}, "batch_size": 8, "precision": "32-true"}


@dataclass(frozen=True)
class Study:
    """The current folder, with the settings of the study that lies there."""

    settings: Parameters
    small: bool
    until: float = math.inf  # by time.perf_counter(), after which no further training begins
    seed: int = 0

    def recipe(self, variant: str, **changes: Any) -> Recipe:
        """The recipe of a variant with a few keys changed."""
        return Recipe.model_validate(self.settings.variants[variant].recipe().model_dump() | changes)

    def packed(self, task: str) -> Packed:
        """The task's pictures."""
        return Packed.read(paths.prepared(task)).for_seed(self.seed)

    def classes(self, task: str) -> list[str]:
        """The task's classes, in the order of the outputs."""
        return class_order(self.packed(task).index["label"], self.settings.tasks[task].positive)


def settings(small: bool) -> Parameters:
    """The parameters of presets/original.yaml, on drawn faces; `small` for two cores."""
    with chdir(ROOT):
        values = presets.read("original", gpu=True)[1].model_dump()
    size = values["preprocess"]["size"]
    values = presets.merged(values, {"data": {"source": "sample", "sample": {"size": size}}})
    if small:
        values = presets.merged(values, SMALL)
        architectures = values["weights"]["architectures"]
        for name, variant in values["variants"].items():
            arch = SMALL_NETWORKS.get(name, SMALL_NETWORKS["resnet18_scratch"])
            variant.update(SMALL_RECIPE, arch=arch)
            architectures[arch] = architectures["resnet18"]
    return parameters.checked(values, "the benchmark's study")


def make(small: bool, until: float) -> Study:
    """Draw and pack the study in the current folder, with params.yaml and random initial weights."""
    study = Study(settings(small), small, until)
    with paths.PARAMS.open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(study.settings.model_dump(mode="json"), file)
    drawn = paths.RAW / "images"
    table = photo_sets.collect(study.settings.data.sample, study.settings.seed, drawn)
    write_csv(paths.RAW / "index.csv", table)
    for task in study.settings.tasks:
        _pack(study, task, table[table[task] != ""].reset_index(drop=True))
    for name, variant in study.settings.variants.items():
        state = {}
        if variant.weights == "pretrained":  # random here too: what counts is how many there are
            state = networks.build(variant.arch, "original", 1000, 1, size=study.settings.preprocess.size).state_dict()
        checkpoints.save(
            paths.initial_weights(name), state, WeightsMetadata(arch=variant.arch, origin="random weights")
        )
    return study


def _pack(study: Study, task: str, table: pd.DataFrame) -> None:
    table = table.assign(label=table[task], group=table["file"])
    classes = class_order(table["label"], study.settings.tasks[task].positive)
    table["split"] = assign(table, classes, study.settings.seed, study.settings.split)
    folder = paths.prepared(task)
    folder.mkdir(parents=True)
    pictures = [np.asarray(Image.open(paths.RAW / "images" / file).convert("RGB")) for file in table["file"]]
    np.save(folder / "images.npy", np.stack(pictures))
    write_csv(folder / "index.csv", table[INDEX])
