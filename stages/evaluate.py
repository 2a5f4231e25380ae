"""Score one model on its validation pictures, and on the training pictures for the gap between them.

In: data/prepared/<task>/, the model's checkpoint and history.csv.
Out: scores.json and predictions.csv; at the end of the model's run in W&B: summary, both confusion
matrices, classification report and curves. Where `split.test` set pictures aside, the same scores of
them stand under `test` in scores.json, and their predictions in predictions.csv with split `test`.
"""

import sys
from typing import Any

import numpy as np
import pandas as pd

from stages import paths
from stages.errors import main, seed_of
from stages.scoring.scores import epochs_to, score
from stages.training import checkpoints, networks, tracking
from stages.training.loop import fabric_for, predict
from stages.training.pictures import Packed, Pictures
from stages.writing import write_csv, write_json


def evaluate(task: str, variant: str, seed_text: str) -> None:
    """Write the scores and predictions of one model; valid and empty with the reason where it has no pictures."""
    seed = seed_of(seed_text)
    metrics = paths.model_metrics(task, variant, seed)
    state, about = checkpoints.load(paths.checkpoint(task, variant, seed))
    if "reason" in about:
        write_json(metrics / "scores.json", {"reason": about["reason"]})
        write_csv(metrics / "predictions.csv", pd.DataFrame(columns=["file", "split", "truth", "prediction"]))
        return
    recipe, classes = about["recipe"], about["classes"]
    fabric = fabric_for(recipe["precision"])
    network = networks.build(recipe["arch"], recipe["head"], len(classes), seed, recipe["layout"])
    network.load_state_dict(state)
    network.to(fabric.device)
    packed = Packed.read(paths.prepared(task))
    history = pd.read_csv(metrics / "history.csv")

    parts: dict[str, Any] = {}
    tables = []
    for split in ("train", "validation", "test"):
        rows, labels, files = packed.part(split, classes)
        if not files:
            continue
        pictures = Pictures(packed.images, labels, fabric.device, rows=rows, layout=recipe["layout"])
        logits = predict(fabric, network, pictures)
        probabilities = logits.double().softmax(dim=1).cpu().numpy()
        parts[split] = score(labels.numpy(), probabilities, classes, about["positive"])
        if split != "train":
            tables.append(_table(files, split, labels.numpy(), probabilities, classes))
    validation, train = parts["validation"], parts["train"]
    scores = {
        "reason": None, "task": task, "variant": variant, "seed": seed, "classes": classes,
        "positive": about["positive"], "pictures": len(tables[0]),
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
    write_json(metrics / "scores.json", scores)
    write_csv(metrics / "predictions.csv", predictions)

    run = tracking.Run(about["run_id"], task, variant, {})
    run.scores(about["epochs"] + 1, scores, history, predictions[predictions["split"] == "validation"])
    run.close()


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
