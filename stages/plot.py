"""Draw the figures of a task's models.

In: metrics/<task>/<variant>/<seed>/ with history.csv, scores.json and roc.csv, data/histograms/<task>/<variant>/
<seed>.safetensors, and the study's names (data/study.json).
Out: plots/figures/<task>/<variant>_<seed>/ with curves.png, confusion.png, calibration.png, gradients.png and
parameters.png; an empty folder for a task without labels. One process for all models of a task, for its start takes
longer than their figures.
"""

from pathlib import Path

from safetensors.numpy import load_file

from facestudy.contracts.results import Result
from facestudy.contracts.study import Study
from facestudy.errors import StudyError
from facestudy.figures import style
from facestudy.figures.calibration import calibration
from facestudy.figures.confusion import confusion
from facestudy.figures.curves import curves
from facestudy.figures.distributions import chosen, distributions
from facestudy.models import checkpoints
from facestudy.models.metadata import EmptyMetadata, HistogramMetadata
from facestudy.project import files, paths
from facestudy.project.tables import read_csv
from facestudy.stage import run


def plot(task: str) -> None:
    """Draw the figures of each model of the task; raises StudyError where a model's files are missing."""
    study = Study.read()
    title = study.task(task).title
    with files.whole_folder(paths.task_figures(task)) as folder, style.style():
        for variant, name in study.variants.items():
            for seed in study.seeds:
                result = Result.read(task, variant, name, seed)
                if isinstance(result, Result):
                    _draw(result, folder / result.name, f"{title}: {name}, seed {seed}")


def _draw(result: Result, folder: Path, heading: str) -> None:
    points = read_csv(paths.model_metrics(result.task, result.variant, result.seed) / "roc.csv", text=False)
    folder.mkdir()
    style.save(folder / "curves.png", curves(result, heading))
    style.save(folder / "confusion.png", confusion(result, heading))
    style.save(folder / "calibration.png", calibration(result, points, heading))
    _draw_histograms(paths.histograms(result.task, result.variant, result.seed), folder, heading)


def _draw_histograms(path: Path, folder: Path, heading: str) -> None:
    _, metadata = checkpoints.describe(path, HistogramMetadata)
    if isinstance(metadata, EmptyMetadata):
        raise StudyError(f"{path} holds no histogram, though the model has scores; run `dvc repro`")
    arrays = load_file(path)
    columns = chosen(metadata.parameters)
    names = [metadata.parameters[column] for column in columns]
    for kind, first_epoch, measure, words in (
        ("gradient", 1, "gradient", "gradients at the last step of each epoch"),
        ("parameter", 0, "value", "parameters, epoch 0 before training"),
    ):
        counts, edges = (arrays[f"{kind}_{part}"][:, columns].astype(float) for part in ("counts", "edges"))
        figure = distributions(counts, edges, names, first_epoch, measure, f"{heading}\n{words}")
        style.save(folder / f"{kind}s.png", figure)


if __name__ == "__main__":
    run(plot)
