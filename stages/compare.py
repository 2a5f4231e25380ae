"""Lay the variants of a task side by side.

In: the study's names (data/study.json) and metrics/<task>/<variant>/<seed>/ of each model of the task, with
history.csv, scores.json, predictions.csv and corruptions.csv.
Out: plots/comparison/<task>.png and <task>_corruptions.png; <task>.csv in plots/curves/, confusion/,
confusion_zscore/ and corruptions/, long tables with a variant and a seed column; metrics/differences/<task>.json, the
variants' differences and whether chance could explain them. A task without labels gets pictures that say so, and empty
tables.
"""

from collections.abc import Sequence

import pandas as pd

from facestudy.contracts.corruptions import COMPARED
from facestudy.contracts.results import HISTORY_COLUMNS, Result
from facestudy.contracts.study import Study
from facestudy.csv_writer import write_csv
from facestudy.evaluation.differences import between_variants
from facestudy.figures import style
from facestudy.figures.corruptions import corruptions
from facestudy.figures.curves import comparison, notice
from facestudy.project import paths
from facestudy.project.files import write_json
from facestudy.project.tables import read_csv
from facestudy.stage import run

CELL = ["truth", "prediction"]


def compare(task: str) -> None:
    """Draw and write what compares the models of a task; raises StudyError where a model's files are missing."""
    study = Study.read()
    title = study.task(task).title
    every = [Result.read(task, variant, name, seed) for variant, name in study.variants.items() for seed in study.seeds]
    results = [result for result in every if isinstance(result, Result)]
    folders = [paths.model_metrics(task, result.variant, result.seed) for result in results]
    outcomes = [read_csv(folder / "corruptions.csv", text=False) for folder in folders]
    predictions = [read_csv(folder / "predictions.csv") for folder in folders]
    with style.style():
        if results:
            figure = comparison(results, f"{title}: the variants side by side")
            corrupted = corruptions(results, outcomes, f"{title}: corrupted validation pictures, 95 % intervals")
        else:
            reason = next(result.reason for result in every if not isinstance(result, Result))
            figure = corrupted = notice(reason, title)
        style.save(paths.comparison(task), figure)
        style.save(paths.corruptions(task), corrupted)
    scores = [result.scores for result in results]
    counts = [_cells(each.classes, each.confusion_matrix, "count") for each in scores]
    zscores = [_cells(each.classes, each.confusion_matrix_zscore, "zscore") for each in scores]
    curves = _stacked(results, [result.history for result in results], HISTORY_COLUMNS)
    write_csv(paths.plot_table("curves", task), curves)
    write_csv(paths.plot_table("confusion", task), _stacked(results, counts, [*CELL, "count"]))
    write_csv(paths.plot_table("confusion_zscore", task), _stacked(results, zscores, [*CELL, "zscore"]))
    write_csv(paths.plot_table("corruptions", task), _stacked(results, outcomes, COMPARED))
    write_json(paths.differences(task), between_variants(results, predictions))


def _cells(classes: list[str], matrix: Sequence[Sequence[float]], measure: str) -> pd.DataFrame:
    """A row per cell of a confusion matrix."""
    rows = [(truth, prediction) for truth in classes for prediction in classes]
    return pd.DataFrame(rows, columns=CELL).assign(**{measure: [value for row in matrix for value in row]})


def _stacked(results: Sequence[Result], tables: Sequence[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    """The models' tables below one another, with their variant and seed."""
    columns = ["variant", "seed", *columns]
    pairs = zip(results, tables, strict=True)
    stacked = [table.assign(variant=result.variant, seed=result.seed)[columns] for result, table in pairs]
    return pd.concat(stacked) if stacked else pd.DataFrame(columns=columns)


if __name__ == "__main__":
    run(compare)
