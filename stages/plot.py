"""Draw the figures of a task and write the tables that `dvc plots` draws.

In: of each model of the task history.csv and scores.json, and its histograms.
Out: plots/figures/<task>/ with `<variant>_<seed>_{curves,confusion,gradients,parameters}.png` for each
model and comparison.png; plots/<task>/ with curves.csv, confusion.csv and confusion_zscore.csv, long
tables with a variant and a seed column. A task without labels gets one picture that says so, and empty tables.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from safetensors import SafetensorError, safe_open

from stages import params, paths, writing
from stages.errors import StudyError, main
from stages.figures import style
from stages.figures.confusion import confusion
from stages.figures.curves import comparison, curves, notice
from stages.figures.distributions import chosen, distributions
from stages.figures.results import HISTORY_COLUMNS, Result, missing, read_result


def plot(task: str) -> None:
    """Draw all figures of a task; raises StudyError where a model's files are missing."""
    seeds, tasks, variants = params.read("seeds", "tasks", "variants")
    if task not in tasks:
        raise StudyError(f"{task}: no such task; params.yaml has {', '.join(tasks)}")
    results = [
        read_result(paths.model_metrics(task, variant, seed), task, variant, settings.title, seed)
        for variant, settings in variants.items()
        for seed in seeds
    ]
    trained = [result for result in results if result.reason is None]
    title = tasks[task].title
    with writing.whole_folder(paths.figures(task)) as folder, style.style():
        if trained:
            _save(folder / "comparison.png", comparison(trained, f"{title}: the variants side by side"))
        else:
            _save(folder / "comparison.png", notice(results[0].reason or "", title))
        for result in trained:
            _draw(result, folder, f"{title}: {result.title}, seed {result.seed}")
    tables = paths.task_plots(task)
    writing.write_csv(tables / "curves.csv", _curve_table(trained))
    writing.write_csv(tables / "confusion.csv", _cells(trained, "confusion_matrix", "count"))
    writing.write_csv(tables / "confusion_zscore.csv", _cells(trained, "confusion_matrix_zscore", "zscore"))


def _draw(result: Result, folder: Path, heading: str) -> None:
    _save(folder / f"{result.name}_curves.png", curves(result, heading))
    _save(folder / f"{result.name}_confusion.png", confusion(result, heading))
    path = paths.histograms(result.task, result.variant, result.seed)
    names, arrays = _read_histograms(path)
    places = chosen(names)
    for kind, first_epoch, measure, words in (
        ("gradient", 1, "gradient", "gradients at the last step of each epoch"),
        ("parameter", 0, "value", "parameters, epoch 0 before training"),
    ):
        figure = distributions(
            arrays[f"{kind}_counts"][:, places],
            arrays[f"{kind}_edges"][:, places],
            [names[place] for place in places],
            first_epoch,
            measure,
            f"{heading}\n{words}",
        )
        _save(folder / f"{result.name}_{kind}s.png", figure)


def _read_histograms(path: Path) -> tuple[list[str], dict[str, np.ndarray]]:
    keys = [f"{kind}_{part}" for kind in ("gradient", "parameter") for part in ("counts", "edges")]
    try:
        with safe_open(path, framework="numpy") as opened:
            names: list[str] = json.loads((opened.metadata() or {})["parameters"])
            return names, {key: opened.get_tensor(key).astype(float) for key in keys}
    except FileNotFoundError:
        raise missing(path) from None
    except (SafetensorError, KeyError, ValueError) as error:
        raise StudyError(f"{path} does not hold the histograms of a training ({error}); run `dvc repro`") from None


def _save(path: Path, figure: Figure) -> None:
    path.write_bytes(style.png(figure))


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
    main(plot, *sys.argv[1:])
