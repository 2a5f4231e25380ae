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

from stages import paths
from stages.params import Recipe, load, read_recipe
from stages.training import checkpoints
from stages.training.learner import prepare
from stages.training.loop import Training, fabric_for
from stages.training.pictures import Packed, class_order
from stages.writing import write_csv

RESULTS = Path("docs/results")


def accuracy(
    packed: Packed, classes: list[str], recipe: Recipe, state: dict[str, torch.Tensor], epochs: int, seed: int
) -> float:
    """Validation accuracy after the last epoch of one training."""
    fabric = fabric_for(recipe.precision)
    _, learner, train, validation = prepare(fabric, packed, classes, recipe, state, seed)
    *_, last = Training(fabric, learner, recipe).epochs(train, validation, epochs, len(classes), seed)
    return last.val_accuracy


def measure(name: str, seeds: list[int]) -> None:
    """Train all pairs and write the table, row by row as they end."""
    params = load()
    pretrained = [key for key, variant in params.variants.items() if variant.weights == "pretrained"]
    rows = []
    for task, settings in params.tasks.items():
        packed = Packed.read(paths.prepared(task))
        classes = class_order(packed.index["label"], settings.positive)
        pictures = int((packed.index["split"] == "validation").sum())
        for variant in pretrained:
            recipe, epochs = read_recipe(variant), params.variants[variant].epochs[task]
            state, _ = checkpoints.load(paths.weights(recipe.arch))
            for seed in seeds:
                for weights, start in (("pretrained", state), ("random", {})):
                    reached = accuracy(packed, classes, recipe, start, epochs, seed)
                    print(f"{task} {variant} {weights} seed {seed}: {reached:.4f}", flush=True)
                    rows.append([task, variant, weights, seed, reached, pictures])
                    columns = ["task", "variant", "weights", "seed", "accuracy", "pictures"]
                    write_csv(RESULTS / f"pretraining_{name}.csv", pd.DataFrame(rows, columns=columns))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="names the file that is written, for instance sample or photos")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    measure(arguments.name, arguments.seeds)
