"""Lay the variants of a task side by side.

In: the study's names (data/study.json) and, of each model of the task, the history.csv and scores.json
that `plot` left in plots/figures/<task>/<variant>_<seed>/.
Out: plots/comparison/<task>.png; plots/<task>/ with curves.csv, confusion.csv and confusion_zscore.csv, long
tables with a variant and a seed column. A task without labels gets a picture that says so, and empty tables.
"""

import sys
from collections.abc import Iterable

import pandas as pd

from stages import paths, writing
from stages.errors import main
from stages.figures import style
from stages.figures.curves import comparison, notice
from stages.figures.results import HISTORY_COLUMNS, Result, entry, read_json, read_result


def compare(task: str) -> None:
    """Draw and write what compares the models of a task; raises StudyError where a model's files are missing."""
    study = read_json(paths.STUDY)
    title = entry(study, "tasks", task)["title"]
    results = [
        read_result(paths.model_figures(task, variant, seed), task, variant, name, seed)
        for variant, name in study["variants"].items()
        for seed in study["seeds"]
    ]
    trained = [result for result in results if result.reason is None]
    with style.style():
        if trained:
            figure = comparison(trained, f"{title}: the variants side by side")
        else:
            figure = notice(results[0].reason or "", title)
        with writing.whole_file(paths.comparison(task)) as temporary:
            temporary.write_bytes(style.png(figure))
    tables = paths.task_plots(task)
    writing.write_csv(tables / "curves.csv", _curve_table(trained))
    writing.write_csv(tables / "confusion.csv", _cells(trained, "confusion_matrix", "count"))
    writing.write_csv(tables / "confusion_zscore.csv", _cells(trained, "confusion_matrix_zscore", "zscore"))


def _curve_table(results: Iterable[Result]) -> pd.DataFrame:
    tables = [result.history[HISTORY_COLUMNS].assign(variant=result.variant, seed=result.seed) for result in results]
    columns = ["variant", "seed", *HISTORY_COLUMNS]
    return pd.concat(tables)[columns] if tables else pd.DataFrame(columns=columns)


def _cells(results: Iterable[Result], key: str, measure: str) -> pd.DataFrame:
    rows = [
        (result.variant, result.seed, truth, prediction, result.scores[key][row][column])
        for result in results
        for row, truth in enumerate(result.scores["classes"])
        for column, prediction in enumerate(result.scores["classes"])
    ]
    return pd.DataFrame(rows, columns=["variant", "seed", "truth", "prediction", measure])


if __name__ == "__main__":
    main(compare, *sys.argv[1:])
