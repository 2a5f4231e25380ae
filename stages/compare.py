"""Lay the variants of a task side by side.

In: the study's names (data/study.json) and, of each model of the task, the history.csv, scores.json,
predictions.csv and challenges.csv that `plot` left in plots/figures/<task>/<variant>_<seed>/.
Out: plots/comparison/<task>.png and <task>_challenges.png; plots/<task>/ with curves.csv, confusion.csv,
confusion_zscore.csv and challenges.csv, long tables with a variant and a seed column; metrics/<task>/
differences.json, what tells the variants apart more than chance does. A task without labels gets pictures that
say so, and empty tables.
"""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from stages import paths, writing
from stages.errors import main
from stages.figures import style
from stages.figures.challenges import challenges
from stages.figures.curves import comparison, notice
from stages.figures.results import HISTORY_COLUMNS, Result, entry, read_json, read_result, read_table
from stages.scoring.differences import differences, seed_differences


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
    folders = [paths.model_figures(task, result.variant, result.seed) for result in trained]
    hard = [read_table(folder / "challenges.csv") for folder in folders]
    predicted = [read_table(folder / "predictions.csv", text=True) for folder in folders]
    with style.style():
        if trained:
            figures = [
                comparison(trained, f"{title}: the variants side by side"),
                challenges(trained, hard, f"{title}: hard versions of the validation pictures, 95 % intervals"),
            ]
        else:
            figures = [notice(results[0].reason or "", title)] * 2
        for path, figure in zip((paths.comparison(task), paths.challenges(task)), figures, strict=True):
            with writing.whole_file(path) as temporary:
                temporary.write_bytes(style.png(figure))
    tables = paths.task_plots(task)
    writing.write_csv(tables / "curves.csv", _curve_table(trained))
    writing.write_csv(tables / "confusion.csv", _cells(trained, "confusion_matrix", "count"))
    writing.write_csv(tables / "confusion_zscore.csv", _cells(trained, "confusion_matrix_zscore", "zscore"))
    writing.write_csv(tables / "challenges.csv", _hard_table(trained, hard))
    writing.write_json(paths.task_metrics(task) / "differences.json", _differences(trained, predicted))


def _differences(results: Sequence[Result], predictions: Sequence[pd.DataFrame]) -> dict[str, Any]:
    """By seed, every pair of variants on the same pictures; over several seeds, the pairs' mean differences.

    Seeds that were validated on folds of their own are laid together under `all`, each picture once.
    """
    seeds: dict[str, dict[str, pd.DataFrame]] = {}
    accuracies: dict[str, list[float]] = {}
    for result, table in zip(results, predictions, strict=True):
        seeds.setdefault(str(result.seed), {})[result.variant] = table[table["split"] == "validation"]
        accuracies.setdefault(result.variant, []).append(result.scores["accuracy"])
    validated = {frozenset(table["file"]) for tables in seeds.values() for table in tables.values()}
    folds = len(validated) if len(validated) > 1 else 0
    over_seeds = seed_differences(accuracies, folds) if len(seeds) > 1 else []
    if folds:
        seeds = {"all": {variant: pd.concat([tables[variant] for tables in seeds.values()]) for variant in accuracies}}
    return {
        "by_seed": {seed: [asdict(pair) for pair in differences(tables)] for seed, tables in seeds.items()},
        "over_seeds": [asdict(pair) for pair in over_seeds],
    }


def _hard_table(results: Sequence[Result], tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    columns = ["variant", "seed", "kind", "strength", "accuracy", "low", "high"]
    found = [
        table.assign(variant=result.variant, seed=result.seed)[columns]
        for result, table in zip(results, tables, strict=True)
    ]
    return pd.concat(found) if found else pd.DataFrame(columns=columns)


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
