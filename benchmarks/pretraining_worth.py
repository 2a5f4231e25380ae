"""What pretraining is worth: the same training from the study's weights and from random ones.

Run it after `dvc repro`, on whatever data that left in data/prepared and data/weights:

    python -m benchmarks.pretraining_worth NAME --seeds 0 1 2

It trains every variant of params.yaml that starts from pretrained weights, on every task, twice per
seed, and writes docs/results/pretraining_NAME.csv: task, variant, weights, seed, accuracy (of the last
epoch on the validation pictures, 0 to 1) and the number of those pictures. `benchmarks.results` makes
the table of docs/results.md from it.
"""

import argparse
from pathlib import Path

import pandas as pd
import torch

from facestudy.csv_writer import write_csv
from facestudy.models import checkpoints
from facestudy.models.device import fabric_for
from facestudy.models.packed import Packed, class_order
from facestudy.project import paths
from facestudy.project.parameters import load
from facestudy.project.sections import Recipe
from facestudy.training.loop import Training
from facestudy.training.setup import prepare

RESULTS = Path("docs/results")
COLUMNS = ["task", "variant", "weights", "seed", "accuracy", "pictures"]


def accuracy(
    packed: Packed, classes: list[str], recipe: Recipe, state: dict[str, torch.Tensor], epochs: int, seed: int
) -> float:
    """Validation accuracy after the last epoch of one training."""
    fabric = fabric_for(recipe.precision)
    setup = prepare(fabric, packed, classes, recipe, state, seed)
    training = Training(fabric, setup.trained, recipe)
    *_, last = training.epochs(setup.train, setup.validation, epochs, len(classes), seed)
    return last.val_accuracy


def measure(name: str, seeds: list[int]) -> None:
    """Train all pairs and write the table, row by row as they end."""
    parameters = load()
    rows = []
    for task, settings in parameters.tasks.items():
        packed = Packed.read(paths.prepared(task))
        classes = class_order(packed.index["label"], settings.positive)
        pictures = int((packed.index["split"] == "validation").sum())
        for variant_name, variant in parameters.variants.items():
            if variant.weights != "pretrained":
                continue
            pretrained = checkpoints.load_tensors(paths.weights(variant.arch))
            for seed in seeds:
                for weights, state in (("pretrained", pretrained), ("random", {})):
                    reached = accuracy(packed, classes, variant, state, variant.epochs[task], seed)
                    print(f"{task} {variant_name} {weights} seed {seed}: {reached:.4f}", flush=True)
                    rows.append([task, variant_name, weights, seed, reached, pictures])
                    write_csv(RESULTS / f"pretraining_{name}.csv", pd.DataFrame(rows, columns=COLUMNS))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="names the file that is written, for instance sample or photos")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    measure(arguments.name, arguments.seeds)
