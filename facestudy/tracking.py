"""W&B, and all that the project knows of it: one run per model under a fixed id, live.

W&B's own environment variables set it (WANDB_MODE, WANDB_API_KEY, WANDB_PROJECT, WANDB_DIR). Without a key it runs
offline. Whatever fails in it gives one message and does not fail the stage.
"""

import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

import pandas as pd
from torch import Tensor

if TYPE_CHECKING:  # a word in the contract of scores.json must not train everything again
    from facestudy.contracts.scores import Scores

PROJECT = "face-classifier-study"
MARK = "stage.txt"  # beside the files of an offline run, and not uploaded
P = ParamSpec("P")


def run_id(task: str, variant: str, seed: int, *decisive: object) -> str:
    """A name for the run that depends on what decides its result, of which the `repr` is read, and on nothing else."""
    digest = hashlib.sha256(repr(decisive).encode()).hexdigest()[:8]
    return f"{task}-{variant}-{seed}-{digest}"


def _guarded(method: Callable[Concatenate["Run", P], None]) -> Callable[Concatenate["Run", P], None]:
    @wraps(method)
    def call(run: "Run", /, *arguments: P.args, **named: P.kwargs) -> None:
        if run.failed:
            return
        try:
            method(run, *arguments, **named)
        except Exception as error:  # W&B raises many kinds, and none of them may end a training
            print(f"W&B failed ({type(error).__name__}: {error}); continuing without it", file=sys.stderr)
            run.failed = True

    return call


class Run:
    """A W&B run to log to; after a failure every call does nothing.

    Under one id always the same is logged. So offline, where W&B resumes no run, a stage that runs again replaces the
    files of its earlier process, and no step stands in them twice.
    """

    def __init__(self, identity: str, task: str, variant: str, config: Mapping[str, Any], stage: str) -> None:
        self.failed = False
        self._start(identity, task, variant, config, stage)

    @_guarded
    def _start(self, identity: str, task: str, variant: str, config: Mapping[str, Any], stage: str) -> None:
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        os.environ.setdefault("WANDB_SILENT", "true")
        os.environ.setdefault("WANDB_DISABLE_GIT", "true")  # its import reads this before the setting below
        import wandb  # noqa: PLC0415  (its settings are read at import)

        self._wandb, mode = wandb, os.environ.get("WANDB_MODE")
        if mode is None and not wandb.login(prompt=False, verify=False):
            mode = "offline"
        self._run: Any = wandb.init(
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

    @_guarded
    def epoch(self, step: int, values: Mapping[str, float], histograms: Mapping[str, tuple[Tensor, Tensor]]) -> None:
        """Log one epoch's numbers, and histograms (counts, edges) by name."""
        plots = {
            name: self._wandb.Histogram(np_histogram=(counts.numpy(), edges.numpy()))
            for name, (counts, edges) in histograms.items()
        }
        self._run.log({**values, **plots}, step=step)

    @_guarded
    def scores(self, step: int, scores: "Scores", history: pd.DataFrame, predictions: pd.DataFrame) -> None:
        """Log the end of a model: summary, both confusion matrices, classification report, curves."""
        wandb, number = self._wandb, {name: index for index, name in enumerate(scores.classes)}
        report = pd.DataFrame.from_dict(
            {name: of_class.model_dump(exclude={"f1_interval"}) for name, of_class in scores.per_class.items()}, "index"
        )
        zscores: list[Iterable[Any]] = [
            (truth, prediction, value)
            for truth, row in zip(scores.classes, scores.confusion_matrix_zscore, strict=True)
            for prediction, value in zip(scores.classes, row, strict=True)
        ]
        self._run.log(
            {
                "confusion_matrix": wandb.plot.confusion_matrix(
                    y_true=predictions["truth"].map(number).tolist(),
                    preds=predictions["prediction"].map(number).tolist(),
                    class_names=scores.classes,
                ),
                "confusion_matrix_zscore": wandb.Table(["truth", "prediction", "zscore"], zscores),
                "classification_report": wandb.Table(dataframe=report.rename_axis("class").reset_index()),
            }
            | {
                f"curves_{measure}": wandb.plot.line_series(
                    xs=history["epoch"].tolist(),
                    ys=[history[f"{split}_{measure}"].tolist() for split in ("train", "val")],
                    keys=["train", "validation"],
                    title=measure,
                    xname="epoch",
                )
                for measure in ("loss", "accuracy")
            },
            step=step,
        )
        self._run.summary.update({f"final/{name}": value for name, value in scores if isinstance(value, int | float)})

    @_guarded
    def close(self) -> None:
        """End the run and wait until it is written."""
        self._run.finish()


def _replace_earlier(folder: Path, identity: str, stage: str) -> None:
    """Remove the offline files of the same stage under the same id, and mark the new ones as the stage's."""
    for earlier in folder.parent.glob(f"offline-run-*-{identity}"):
        mark = earlier / MARK
        if earlier != folder and mark.is_file() and mark.read_text(encoding="utf-8") == stage:
            shutil.rmtree(earlier)
    (folder / MARK).write_text(stage, encoding="utf-8")
