"""Score one model on its validation pictures, on hard versions of them, and on the training pictures for the gap.

In: data/prepared/<task>/, the model's checkpoint and history.csv, and data/raw/index.csv for who is on a picture.
Out: scores.json, predictions.csv, challenges.csv and, for a binary task, the points of roc.csv; at the end of
the model's run in W&B: summary, both confusion matrices, classification report and curves. Where `split.test`
set pictures aside, the same scores of them stand under `test` in scores.json, and their predictions in
predictions.csv with split `test`.
"""

import sys
from typing import Any

import numpy as np
import pandas as pd
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn

from stages import paths
from stages.errors import main, seed_of
from stages.faces.challenges import KINDS, challenged
from stages.params import read
from stages.scoring.challenges import COLUMNS, by_group, outcome
from stages.scoring.losses import log_loss
from stages.scoring.operating import COLUMNS as POINTS
from stages.scoring.operating import operating_points
from stages.scoring.scores import epochs_to, score
from stages.splitting.people import by_person
from stages.training import checkpoints, tracking
from stages.training.loop import fabric_for, predict
from stages.training.pictures import Packed, Pictures
from stages.training.trained import trained
from stages.writing import read_csv, write_csv, write_json


def evaluate(task: str, variant: str, seed_text: str) -> None:
    """Write the scores and predictions of one model; valid and empty with the reason where it has no pictures."""
    seed = seed_of(seed_text)
    study_seed, strengths = read("seed", "challenges.strengths")
    metrics = paths.model_metrics(task, variant, seed)
    state, about = checkpoints.load(paths.checkpoint(task, variant, seed))
    if "reason" in about:
        write_json(metrics / "scores.json", {"reason": about["reason"]})
        write_csv(metrics / "predictions.csv", pd.DataFrame(columns=["file", "split", "truth", "prediction"]))
        write_csv(metrics / "challenges.csv", pd.DataFrame(columns=COLUMNS))
        write_csv(metrics / "roc.csv", pd.DataFrame(columns=POINTS))
        return
    recipe, classes, positive = about["recipe"], about["classes"], about["positive"]
    fabric = fabric_for(recipe["precision"])
    network = trained(state, about, fabric.device)
    packed = Packed.read(paths.prepared(task)).seen_by(seed)
    history = pd.read_csv(metrics / "history.csv")

    people = _people(packed.index)
    parts: dict[str, Any] = {}
    tables = []
    for split in ("train", "validation", "test"):
        rows, labels, files = packed.part(split, classes)
        if not files:
            continue
        truth = labels.numpy()
        pictures = Pictures(packed.images, labels, fabric.device, rows=rows, layout=recipe["layout"])
        probabilities = _probabilities(predict(fabric, network, pictures))
        if split == "train":
            right = probabilities.argmax(axis=1) == truth
            parts[split] = {"accuracy": float(right.mean()), "loss": log_loss(truth, probabilities)}
            continue
        parts[split] = score(truth, probabilities, classes, positive, people[rows], seed)
        parts[split]["by_group"] = by_group(packed.index.iloc[rows], probabilities.argmax(axis=1) == truth)
        tables.append(_table(files, split, truth, probabilities, classes))
    validation, train = parts["validation"], parts["train"]
    scores = {
        "reason": None, "task": task, "variant": variant, "seed": seed, "classes": classes,
        "positive": positive, "pictures": len(tables[0]),
        "epoch": {"kept": about["kept"], "rule": about["rule"]}, "weights": about["weights"],
        **validation,
        "generalization_gap": train["accuracy"] - validation["accuracy"],
        "epochs_to": epochs_to(history), "parameters": about["parameters"],
        "train": {"accuracy": train["accuracy"], "loss": train["loss"]},
        "settings": {**recipe, "epochs": about["epochs"], "size": about["size"]},
    }  # fmt: skip
    if "test" in parts:
        scores["test"] = parts["test"]
    predictions = pd.concat(tables)
    hard = _challenges(fabric, network, packed, about, strengths, study_seed)
    write_json(metrics / "scores.json", scores)
    write_csv(metrics / "predictions.csv", predictions)
    write_csv(metrics / "challenges.csv", hard)
    write_csv(metrics / "roc.csv", _points(tables[0], positive))

    run = tracking.Run(about["run_id"], task, variant, {}, stage="evaluate")
    run.scores(about["epochs"] + 1, scores, history, predictions[predictions["split"] == "validation"])
    run.close()


def _probabilities(logits: Tensor) -> NDArray[np.float64]:
    return np.asarray(logits.double().softmax(dim=1).cpu().numpy())


def _people(index: pd.DataFrame) -> NDArray[np.int64]:
    """The number of each picture's group: its person where one is known who is not what the task asks for."""
    known = read_csv(paths.RAW / "index.csv")[["file", "person"]]
    groups = by_person(index[["file", "label"]].merge(known, on="file", how="left"))
    return np.unique(groups, return_inverse=True)[1]


def _challenges(
    fabric: Fabric, network: nn.Module, packed: Packed, about: dict[str, Any], strengths: list[int], seed: int
) -> pd.DataFrame:
    """A row per kind and strength: how the model does on validation pictures made so much harder.

    `seed` is the study's, so that all models, whatever their own seed, meet the same pictures.
    """
    rows, labels, _ = packed.part("validation", about["classes"])
    place = about["classes"].index(about["positive"]) if about["positive"] is not None else None
    found = []
    for kind in KINDS:
        for strength in strengths:
            images = challenged(packed.images[rows], kind, strength, seed)
            pictures = Pictures(images, labels, fabric.device, layout=about["recipe"]["layout"])
            predicted = predict(fabric, network, pictures).argmax(dim=1).cpu().numpy()
            found.append({"kind": kind, "strength": strength, **outcome(labels.numpy(), predicted, place)})
    return pd.DataFrame(found, columns=COLUMNS)


def _points(predictions: pd.DataFrame, positive: str | None) -> pd.DataFrame:
    if positive is None or predictions["truth"].nunique() < 2:
        return pd.DataFrame(columns=POINTS)
    return operating_points((predictions["truth"] == positive).to_numpy(), predictions[f"p_{positive}"].to_numpy())


def _table(
    files: list[str], split: str, truth: np.ndarray, probabilities: np.ndarray, classes: list[str]
) -> pd.DataFrame:
    """A row per picture: id, split, truth, prediction and the probability of each class."""
    names = np.array(classes)
    table = pd.DataFrame({"file": files, "split": split})
    table["truth"], table["prediction"] = names[truth], names[probabilities.argmax(axis=1)]
    return table.join(pd.DataFrame(probabilities, columns=[f"p_{name}" for name in classes]))


if __name__ == "__main__":
    main(evaluate, *sys.argv[1:])
