"""W&B, and all that the project knows of it: one run per model under a fixed id, live, never in the way.

W&B's own environment switches it (WANDB_MODE, WANDB_API_KEY, WANDB_PROJECT, WANDB_DIR). Without a key
it runs offline. Whatever fails in it is told once and does not fail the stage.
"""

import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from torch import Tensor

PROJECT = "face-classifier-study"
MARK = "stage.txt"  # beside the files of an offline run, and not uploaded


def run_id(task: str, variant: str, seed: int, *decisive: object) -> str:
    """A name for the run that only depends on what its result depends on."""
    digest = hashlib.sha256(repr(decisive).encode()).hexdigest()[:8]
    return f"{task}-{variant}-{seed}-{digest}"


class Run:
    """A W&B run to log to; after a failure every call does nothing.

    Under one id always the same is logged. So offline, where nothing can be resumed, a stage that runs again puts
    its new files in the place of those it left before, and no step is told twice.
    """

    def __init__(self, identity: str, task: str, variant: str, config: Mapping[str, Any], stage: str) -> None:
        self._run: Any = None
        self._guarded(lambda: self._start(identity, task, variant, config, stage))

    def _start(self, identity: str, task: str, variant: str, config: Mapping[str, Any], stage: str) -> None:
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        os.environ.setdefault("WANDB_SILENT", "true")
        os.environ.setdefault("WANDB_DISABLE_GIT", "true")  # the setting below comes too late for its first look
        import wandb  # noqa: PLC0415  (its settings are read at import)

        mode = os.environ.get("WANDB_MODE")
        if mode is None and not wandb.login(prompt=False, verify=False):
            mode = "offline"
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            group=os.environ.get("WANDB_RUN_GROUP", "study"),
            id=identity,
            name=identity,
            tags=[task, variant],
            config=dict(config),
            mode=mode,  # type: ignore[arg-type]
            resume="allow" if mode not in ("offline", "disabled") else None,
            settings=wandb.Settings(
                console="off",
                disable_git=True,
                disable_code=True,
                x_disable_meta=True,
                x_disable_stats=True,
                init_timeout=30,
            ),
        )
        if mode == "offline":
            folder = Path(self._run.dir).parent
            _replace_earlier(folder, identity, stage)
            print(f"W&B is offline; upload with: wandb sync {os.path.relpath(folder)}")

    def _guarded(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:  # W&B raises of many kinds, and none of them may end a training
            print(f"W&B failed ({type(error).__name__}: {error}); going on without it", file=sys.stderr)
            self._run = None

    def epoch(self, step: int, values: Mapping[str, float], histograms: Mapping[str, tuple[Tensor, Tensor]]) -> None:
        """Log one epoch's numbers, and histograms (counts, edges) by name."""

        def log() -> None:
            import wandb  # noqa: PLC0415

            drawn = {
                name: wandb.Histogram(np_histogram=(counts.numpy(), edges.numpy()))
                for name, (counts, edges) in histograms.items()
            }
            self._run.log({**values, **drawn}, step=step)

        if self._run is not None:
            self._guarded(log)

    def scores(self, step: int, scores: Mapping[str, Any], history: pd.DataFrame, predictions: pd.DataFrame) -> None:
        """Log the end of a model: summary, both confusion matrices, classification report, curves."""

        def log() -> None:
            import wandb  # noqa: PLC0415

            classes: list[str] = list(scores["classes"])
            number = {name: place for place, name in enumerate(classes)}
            measures = ["precision", "recall", "f1", "support"]
            report: list[Iterable[Any]] = [
                [name, *(scores["per_class"][name][measure] for measure in measures)] for name in classes
            ]
            zscores: list[Iterable[Any]] = [
                [truth, prediction, scores["confusion_matrix_zscore"][row][column]]
                for row, truth in enumerate(classes)
                for column, prediction in enumerate(classes)
            ]
            curves = {
                measure: wandb.plot.line_series(
                    xs=history["epoch"].tolist(),
                    ys=[history[f"{split}_{measure}"].tolist() for split in ("train", "val")],
                    keys=["train", "validation"],
                    title=measure,
                    xname="epoch",
                )
                for measure in ("loss", "accuracy")
            }
            self._run.log(
                {
                    "confusion_matrix": wandb.plot.confusion_matrix(
                        y_true=predictions["truth"].map(number).tolist(),
                        preds=predictions["prediction"].map(number).tolist(),
                        class_names=classes,
                    ),
                    "confusion_matrix_zscore": wandb.Table(["truth", "prediction", "zscore"], zscores),
                    "classification_report": wandb.Table(["class", *measures], report),
                    "curves_loss": curves["loss"],
                    "curves_accuracy": curves["accuracy"],
                },
                step=step,
            )
            self._run.summary.update(
                {f"final/{name}": value for name, value in scores.items() if isinstance(value, int | float)}
            )

        if self._run is not None:
            self._guarded(log)

    def close(self, failed: bool = False) -> None:
        """End the run and wait until it is written."""
        if self._run is not None:
            self._guarded(lambda: self._run.finish(exit_code=int(failed)))


def _replace_earlier(folder: Path, identity: str, stage: str) -> None:
    """Remove the offline files that the same stage left under the same id, and mark the new ones as its own."""
    for earlier in folder.parent.glob(f"offline-run-*-{identity}"):
        mark = earlier / MARK
        if earlier != folder and mark.is_file() and mark.read_text(encoding="utf-8") == stage:
            shutil.rmtree(earlier)
    (folder / MARK).write_text(stage, encoding="utf-8")
