"""docs/results.md from measured numbers, none of them written by hand.

After a run, on whatever it left in metrics/ and data/:

    python -m benchmarks.results record NAME --title "Real photos" --command "dvc exp run -S ..."

saves its scores, and what simple methods reach on the same pictures, in docs/results/NAME.json (with `--busy` no
seconds, where the machine did other work at the same time); then

    python -m benchmarks.results write

makes docs/results.md of all that lies in docs/results/, and puts summaries of those with several seeds or folds into
README.md.
"""

import argparse
import json
import math
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from scipy.stats import t

from benchmarks import readme
from benchmarks.baselines import baselines
from facestudy.contracts.counts import SplitReport
from facestudy.contracts.scores import Scores
from facestudy.contracts.study import Study
from facestudy.evaluation.differences import seed_differences
from facestudy.models.device import fabric_for
from facestudy.models.metadata import TrainingTiming
from facestudy.project import paths
from facestudy.project.files import read_json, write_json, write_text

FOLDER, PAGE = Path("docs/results"), Path("docs/results.md")
IN_README = ("five_seeds", "photos_folds")  # records whose summaries README.md shows
RECORDED = ("accuracy", "accuracy_interval", "macro_f1", "roc_auc", "weights", "pictures")  # of scores.json


def record(name: str, title: str, command: str, busy: bool) -> None:
    """Save the scores of the run that metrics/ holds."""
    study = Study.read()
    tasks = []
    for task, names in study.tasks.items():
        models = []
        for variant, variant_title in study.variants.items():
            for seed in study.seeds:
                scores = read_json(paths.model_metrics(task, variant, seed) / "scores.json", Scores)
                timing = read_json(paths.timing(task, variant, seed, "train"), TrainingTiming)
                models.append(
                    {"title": variant_title, "seed": seed, "seconds": None if busy else timing.seconds}
                    | {key: getattr(scores, key) for key in RECORDED}
                    | {"train_accuracy": scores.train.accuracy}
                )
        split = read_json(paths.task_metrics(task) / "split.json", SplitReport)
        rest = {"folds": split.folds, "counts": split.counts, "baselines": baselines(task, study.seeds)}
        if len(study.seeds) > 1:
            by_title = _variants({"models": models}).items()
            accuracies = {title: [model["accuracy"] for model in models_of] for title, models_of in by_title}
            rest["differences"] = [each.model_dump() for each in seed_differences(accuracies, split.folds)]
        tasks.append({"title": names.title, "models": models} | rest)
    machine = {"processor": platform.processor() or platform.machine(), "torch": version("torch")}
    machine["precision"] = fabric_for("auto").strategy.precision.precision  # of trainings with `precision: auto`
    today = datetime.now(UTC).date().isoformat()
    values = {"title": title, "command": command, "date": today, "machine": machine, "tasks": tasks}
    write_json(FOLDER / f"{name}.json", values)


def write() -> None:
    """Make docs/results.md and the table in README.md."""
    blocks = [
        "# Results",
        "Made by `python -m benchmarks.results write` from `docs/results/`; accuracies on the validation pictures, "
        "in percent, with the 95 % interval (Wilson's, by person; docs/method.md) where there is one. Of several seeds "
        "or folds it is Student's interval of their mean: what other trainings from the same pretraining would give, "
        "not other pictures. Another pretraining may move a mean by more (`docs/benchmarks.md`, the default run).",
        "The drawn faces' hardness, the pretraining, VGG16's head and the rates and batch sizes were chosen by looking "
        "at validation pictures of both sets: VGG16's head over seeds 0 and 1, its rate, and ResNet18's warm-up, "
        "epochs and rate (eight trials) over seeds 0 to 2 of the drawn faces, all else at seed 0. These figures are "
        "optimistic by an amount not measured.",
        "The real photos are a selection from the repository that `data.git` in `params.yaml` names. Other photos of a "
        "person may be on the other side of a split (`split.group: none`).",
    ]
    for path in sorted(FOLDER.glob("*.json")):
        blocks += _run(json.loads(path.read_text(encoding="utf-8")))
    write_text(PAGE, "\n\n".join(blocks) + "\n")
    records = [FOLDER / f"{name}.json" for name in IN_README]
    summary = "\n\n".join(_summary(json.loads(path.read_text(encoding="utf-8"))) for path in records if path.exists())
    readme.put("results", summary)


def _summary(run: dict[str, Any]) -> str:
    """Validation accuracy of each variant by task."""
    rows: dict[str, list[str]] = {}
    for task in run["tasks"]:
        for title, models in _variants(task).items():
            rows.setdefault(title, []).append(_accuracy(task, models, " %"))
    kind = f"mean validation accuracy (95 % interval, {run['machine']['precision']})"
    head = [f"{run['title']}: {kind}", *(task["title"] for task in run["tasks"])]
    return _table(head, [[title, *cells] for title, cells in rows.items()])


def _variants(task: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The task's models by the title of their variant, one for each seed."""
    variants: dict[str, list[dict[str, Any]]] = {}
    for model in task["models"]:
        variants.setdefault(model["title"], []).append(model)
    return variants


def _accuracy(task: dict[str, Any], models: list[dict[str, Any]], unit: str = "") -> str:
    """Validation accuracy with its interval: by the pictures for one training, by Student's t for several.

    Trainings on folds have most of their pictures in common: the variance of their mean grows as in
    `facestudy.evaluation.differences.seed_differences`.
    """
    shares = [model["accuracy"] for model in models]
    number = len(shares)
    if number == 1:
        low, high = models[0]["accuracy_interval"]
        return f"{_percent(shares[0])}{unit} ({_percent(low)} to {_percent(high)})"
    folds = task.get("folds")  # a record of before 2026-11-28 has none
    overlap = 1 / number + (1 / (folds - 1) if folds else 0)
    half = float(t.ppf(0.975, number - 1)) * stdev(shares) * math.sqrt(overlap)
    low, high = max(0.0, fmean(shares) - half), min(1.0, fmean(shares) + half)
    return f"{_percent(fmean(shares))}{unit} ({_percent(low)} to {_percent(high)})"


def _run(run: dict[str, Any]) -> list[str]:
    blocks = [f"## {run['title']}", f"```console\n$ {run['command']}\n```", _when(run)]
    for task in run["tasks"]:
        trainings = len(next(iter(_variants(task).values())))
        kind = "folds" if task.get("folds") else "seeds"
        parts = {split: sum(counts.values()) for split, counts in task["counts"].items()}
        if task.get("folds"):
            sizes = f"{sum(parts.values())} pictures in {trainings} folds"
        else:
            sizes = ", ".join(f"{number} {split}" for split, number in parts.items())
            sizes += f"; {trainings} seeds" if trainings > 1 else ""
        timed = all(model["seconds"] is not None for model in task["models"])
        head = ["model", "train accuracy", "validation accuracy"]
        head += [*(["lowest to highest"] if trainings > 1 else []), "macro F1"]
        head += [*(["seconds"] if timed else []), "initial weights"]
        rows = [
            [
                title,
                _percent(fmean(model["train_accuracy"] for model in models)),
                _accuracy(task, models),
                *([_range([model["accuracy"] for model in models])] if trainings > 1 else []),
                f"{fmean(model['macro_f1'] for model in models):.3f}",
                *([f"{fmean(model['seconds'] for model in models):.0f}"] if timed else []),
                models[0]["weights"],
            ]
            for title, models in _variants(task).items()
        ]
        for name, reached in task["baselines"].items():
            rows.append([name, "", _percent(reached), *[""] * (len(head) - 3)])
        blocks += [f"### {task['title']} ({sizes})", _table(head, rows)]
        if task.get("differences"):
            blocks += [f"Paired by {kind[:-1]}:", _differences(task["differences"])]
    return blocks


def _when(run: dict[str, Any]) -> str:
    return f"Measured on {run['date']}; `precision: auto` was {run['machine']['precision']} there."


def _differences(differences: list[dict[str, Any]]) -> str:
    """How much more accurate one variant is than another, in points, and whether chance could explain it."""
    rows = [
        [
            each["first"],
            each["second"],
            f"{each['mean'] * 100:+.1f}",
            f"{each['deviation'] * 100:.1f}",
            f"{each['p']:.2g}",
        ]
        for each in differences
    ]
    return _table(["model", "against", "mean difference", "standard deviation", "p (paired t test, Holm)"], rows)


def _range(shares: list[float]) -> str:
    return f"{_percent(min(shares))} to {_percent(max(shares))}"


def _percent(share: float) -> str:
    return f"{share * 100:.1f}"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="action", required=True)
    recording = commands.add_parser("record")
    recording.add_argument("name")
    recording.add_argument("--title", required=True)
    recording.add_argument("--command", required=True)
    recording.add_argument("--busy", action="store_true", help="leave out the seconds")
    commands.add_parser("write")
    arguments = parser.parse_args()
    if arguments.action == "record":
        record(arguments.name, arguments.title, arguments.command, arguments.busy)
    else:
        write()
