"""Score one model on its validation pictures, on corrupted versions of them, and on the training pictures for the gap.

In: data/prepared/<task>/, the model's checkpoint and history.csv, and data/raw/index.csv for who is in a picture.
Out: metrics/<task>/<variant>/<seed>/ with scores.json, predictions.csv, corruptions.csv and, for a binary task, the
points of roc.csv; at the end of the model's run in W&B: summary, both confusion matrices, classification report and
curves. Where `split.test` set pictures aside, their scores are `test` in scores.json, and their predictions are in
predictions.csv with split `test`.
"""

from pathlib import Path

import pandas as pd

from facestudy import tracking
from facestudy.contracts import corruptions
from facestudy.contracts.scores import Scores
from facestudy.csv_writer import write_csv
from facestudy.evaluation import operating_points
from facestudy.evaluation.model import COLUMNS, Model, person_group_numbers, scores_of
from facestudy.models import checkpoints
from facestudy.models.device import fabric_for
from facestudy.models.metadata import CheckpointMetadata, EmptyMetadata
from facestudy.models.packed import Packed
from facestudy.models.trained import trained
from facestudy.project import parameters, paths
from facestudy.project.files import Unavailable, write_json
from facestudy.project.tables import read_csv
from facestudy.stage import run


def evaluate(task: str, variant: str, seed: int) -> None:
    """Write the scores and predictions of one model; empty, with the reason, where the task has no pictures."""
    settings = parameters.read()
    study_seed, strengths = settings.seed, settings.challenges.strengths
    metrics = paths.model_metrics(task, variant, seed)
    points = pd.DataFrame(columns=operating_points.COLUMNS)
    state, metadata = checkpoints.load(paths.checkpoint(task, variant, seed), CheckpointMetadata)
    if isinstance(metadata, EmptyMetadata):
        empty = pd.DataFrame(columns=COLUMNS), pd.DataFrame(columns=list(corruptions.COLUMNS)), points
        _write(metrics, Unavailable(reason=metadata.reason), *empty)
        return
    history = read_csv(metrics / "history.csv", text=False)
    packed = Packed.read(paths.prepared(task)).for_seed(seed)
    persons = read_csv(paths.RAW / "index.csv")[["file", "person"]]
    numbers = person_group_numbers(packed.index.merge(persons, on="file", how="left"), metadata.positive)
    fabric = fabric_for("auto")  # of the corrupted pictures alone; all else is scored in full precision
    model = Model(fabric, trained(state, metadata, fabric.device), metadata, numbers)

    predictions = model.predictions(packed)
    scores = scores_of(metadata, predictions, packed.index, history)
    outcomes = model.outcomes(packed, strengths, study_seed)
    validation = predictions[predictions["split"] == "validation"]
    if scores.positive is not None and scores.areas_reason is None:
        is_target = (validation["truth"] == scores.positive).to_numpy()
        points = operating_points.operating_points(is_target, validation[f"p_{scores.positive}"].to_numpy())
    _write(metrics, scores, predictions[predictions["split"] != "train"], outcomes, points)

    tracked = tracking.Run(metadata.run_id, task, variant, {}, stage="evaluate")
    tracked.scores(metadata.epochs + 1, scores, history, validation)
    tracked.close()


def _write(
    folder: Path, scores: Scores | Unavailable, predictions: pd.DataFrame, outcomes: pd.DataFrame, points: pd.DataFrame
) -> None:
    write_json(folder / "scores.json", scores)
    write_csv(folder / "predictions.csv", predictions)
    write_csv(folder / "corruptions.csv", outcomes)
    write_csv(folder / "roc.csv", points)


if __name__ == "__main__":
    run(evaluate)
