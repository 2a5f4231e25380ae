"""Draw the figures of a model.

In: its history.csv, scores.json, predictions.csv, challenges.csv, roc.csv and histograms, and the study's names
(data/study.json).
Out: plots/figures/<task>/<variant>_<seed>/ with curves.png, confusion.png, calibration.png, gradients.png and
parameters.png, and copies of what `compare` reads: it depends on the folders of a task's models, and the
folder those files come from also holds timing.json, which changes at every run. A task without labels
gets the copies alone.
"""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from safetensors import SafetensorError, safe_open

from stages import paths, writing
from stages.errors import StudyError, main, seed_of
from stages.figures import style
from stages.figures.calibration import calibration
from stages.figures.confusion import confusion
from stages.figures.curves import curves
from stages.figures.distributions import chosen, distributions
from stages.figures.results import Result, entry, missing, read_json, read_result, read_table

COPIED = ("history.csv", "scores.json", "predictions.csv", "challenges.csv")


def plot(task: str, variant: str, seed_text: str) -> None:
    """Draw the figures of a model; raises StudyError where one of its files is missing."""
    seed = seed_of(seed_text)
    metrics = paths.model_metrics(task, variant, seed)
    study = read_json(paths.STUDY)
    task_title = entry(study, "tasks", task)["title"]
    result = read_result(metrics, task, variant, entry(study, "variants", variant), seed)
    with writing.whole_folder(paths.model_figures(task, variant, seed)) as folder, style.style():
        for name in COPIED:
            if not (metrics / name).is_file():
                raise missing(metrics / name)
            shutil.copyfile(metrics / name, folder / name)
        if result.reason is None:
            _draw(result, folder, f"{task_title}: {result.title}, seed {result.seed}")


def _draw(result: Result, folder: Path, heading: str) -> None:
    _save(folder / "curves.png", curves(result, heading))
    _save(folder / "confusion.png", confusion(result, heading))
    points = read_table(paths.model_metrics(result.task, result.variant, result.seed) / "roc.csv")
    _save(folder / "calibration.png", calibration(result, points, heading))
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
        _save(folder / f"{kind}s.png", figure)


def _read_histograms(path: Path) -> tuple[list[str], dict[str, np.ndarray]]:
    keys = [f"{kind}_{part}" for kind in ("gradient", "parameter") for part in ("counts", "edges")]
    try:
        with safe_open(path, framework="numpy") as opened:
            names: list[str] = json.loads((opened.metadata() or {})["about"])["parameters"]
            return names, {key: opened.get_tensor(key).astype(float) for key in keys}
    except FileNotFoundError:
        raise missing(path) from None
    except (SafetensorError, KeyError, ValueError) as error:
        raise StudyError(f"{path} does not hold the histograms of a training ({error}); run `dvc repro`") from None


def _save(path: Path, figure: Figure) -> None:
    path.write_bytes(style.png(figure))


if __name__ == "__main__":
    main(plot, *sys.argv[1:])
