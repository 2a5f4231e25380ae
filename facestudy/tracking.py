"""W&B, and all that the project knows of it: one run per model under a fixed id, live.

W&B's own environment variables and settings files set it (WANDB_MODE, WANDB_API_KEY, `wandb disabled` ...). Without a
key, and where its server cannot be reached, it runs offline. Whatever fails in it gives one message and does not fail
the stage.
"""

import hashlib
import os
import shutil
import sys
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from pathlib import Path
from ssl import SSLError
from threading import Thread
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec
from urllib.error import HTTPError

import pandas as pd
import torch
from torch import Tensor

if TYPE_CHECKING:  # a word in the contract of scores.json must not train everything again
    from facestudy.contracts.scores import Scores

PROJECT = "face-classifier-study"
MARK = "stage.txt"  # beside the files of an offline run, and not uploaded
PATIENCE = 5  # seconds in which W&B's server must answer
SAMPLED = 2  # seconds between two looks at a GPU; W&B's own 15 would see few of a short training
START = 30  # seconds that the start of a run online may take
LAST_UPLOAD = 120  # seconds that a finished run may still upload; what is left then stays in its files
MODES = {"dryrun": "offline", "run": "online"}  # W&B's older names
P = ParamSpec("P")


def run_id(task: str, variant: str, seed: int, *decisive: object) -> str:
    """A name for the run that depends on what decides its result, of which the `repr` is read, and on nothing else."""
    digest = hashlib.sha256(repr(decisive).encode()).hexdigest()[:8]
    return f"{task}-{variant}-{seed}-{digest}"


def guarded(method: Callable[Concatenate[Any, P], None]) -> Callable[Concatenate[Any, P], None]:
    """A method of a Run that prints a message where it fails, after which no method of that run does anything."""

    @wraps(method)
    def call(run: Any, /, *arguments: P.args, **named: P.kwargs) -> None:
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
    files of its earlier process, and no step stands in them twice. Once such files were uploaded, the new ones are
    marked as uploaded too, for a server appends what it is sent twice.
    """

    def __init__(self, identity: str, task: str, variant: str, config: Mapping[str, Any], stage: str) -> None:
        self.failed = False
        self._start(identity, task, variant, config, stage)

    @guarded
    def _start(self, identity: str, task: str, variant: str, config: Mapping[str, Any], stage: str) -> None:
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        os.environ.setdefault("WANDB_SILENT", "true")
        os.environ.setdefault("WANDB_DISABLE_GIT", "true")  # its import reads this before the setting below
        import wandb  # noqa: PLC0415  (its settings are read at import)

        self._wandb, settings = wandb, wandb.setup().settings  # from W&B's environment variables and settings files

        def begun(mode: str) -> Any:
            return wandb.init(
                project=settings.project or PROJECT,
                group=settings.run_group or os.environ.get("DVC_EXP_NAME"),
                job_type=stage,
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
                    host="",  # else the machine's name and the path of the code
                    program=f"stages.{stage}",
                    x_disable_meta=True,
                    # GPU memory and load of a training; without a GPU the sampling would cost more than it tells.
                    x_disable_stats=not (stage == "train" and torch.cuda.is_available()),
                    x_stats_sampling_interval=SAMPLED,
                    x_save_requirements=False,  # the names of all packages of the machine
                    init_timeout=START,
                    finish_timeout=LAST_UPLOAD,
                    finish_timeout_raises=True,
                ),
            )

        mode = MODES.get(settings.mode, settings.mode)
        if mode not in ("offline", "disabled"):
            try:
                if wandb.login(prompt=False, verify=False):
                    if not (settings.http_proxy or settings.https_proxy):  # by which W&B alone goes
                        _reach(settings.base_url)
                    self._run: Any = begun(mode)
                else:
                    mode = "offline"
            except Exception as error:  # of many kinds; steps in files can be uploaded later
                print(f"W&B cannot be used online ({error}); this run stays offline", file=sys.stderr)
                wandb.teardown()  # else the id counts as in use by what did not start
                mode = "offline"
        if mode in ("offline", "disabled"):
            self._run = begun(mode)
        if mode != "disabled":
            folder = Path(self._run.dir).parent
            uploaded = _replace_earlier(folder, identity, stage)
            if mode == "offline":
                _say_offline(folder, identity, uploaded)

    @guarded
    def epoch(self, step: int, values: Mapping[str, float], histograms: Mapping[str, tuple[Tensor, Tensor]]) -> None:
        """Log one epoch's numbers, and histograms (counts, edges) by name."""
        plots = {
            name: self._wandb.Histogram(np_histogram=(counts.numpy(), edges.numpy()))
            for name, (counts, edges) in histograms.items()
        }
        self._run.log({**values, **plots}, step=step)

    @guarded
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

    @guarded
    def close(self) -> None:
        """End the run and wait until it is written, and uploaded where it is online."""
        try:
            self._run.finish()
        except TimeoutError:  # a network that went away
            path = os.path.relpath(Path(self._run.dir).parent)
            print(
                f"W&B did not take all within {LAST_UPLOAD} seconds; upload the rest with: "
                f"wandb sync --include-online {path}",
                file=sys.stderr,
            )


def _reach(url: str) -> None:
    """Return once a server answers. Raises OSError for a fault of the server's, and after PATIENCE seconds at most."""
    faults: list[Exception] = []

    def ask() -> None:
        try:
            urllib.request.urlopen(url, timeout=PATIENCE).close()
        except HTTPError as error:
            if error.code >= 500:  # any other is an answer
                faults.append(error)
        except Exception as error:  # also what is no HTTP; in a thread it would be a traceback
            if not isinstance(getattr(error, "reason", None), SSLError):  # W&B has settings of its own for certificates
                faults.append(error)

    # A name lookup knows no time limit, so it is left behind in a thread that does not keep the process alive.
    thread = Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    if thread.is_alive():
        raise TimeoutError(f"no answer from {url} within {PATIENCE} seconds")
    if faults:
        raise OSError(f"{url}: {faults[0]}")


def _replace_earlier(folder: Path, identity: str, stage: str) -> bool:
    """Remove the offline files of the same stage under the same id, and mark the new ones as the stage's.

    Whether W&B's server has steps of this stage already: from an upload of these files, or from a run online.
    """
    uploaded = False
    for earlier in folder.parent.glob(f"*run-*-{identity}"):
        mark = earlier / MARK
        if earlier == folder or not mark.is_file() or mark.read_text(encoding="utf-8") != stage:
            continue
        offline = earlier.name.startswith("offline-")
        uploaded = uploaded or not offline or (earlier / _synced(identity)).exists()
        if offline:
            shutil.rmtree(earlier)
    (folder / MARK).write_text(stage, encoding="utf-8")
    return uploaded


def _synced(identity: str) -> str:
    """The file by which `wandb sync` marks the files of a run as uploaded, and passes over them from then on."""
    return f"run-{identity}.wandb.synced"


def _say_offline(folder: Path, identity: str, uploaded: bool) -> None:
    """Say how to upload, or, where the server has these steps already, that a second upload would append them."""
    path = os.path.relpath(folder)
    if not uploaded:
        print(f"W&B is offline; upload with: wandb sync {path}")
        return
    (folder / _synced(identity)).touch()
    print(
        f"W&B is offline, and its server has steps of {identity} from an earlier run of this stage, to which it would "
        f"append the same again. So `wandb sync` passes over {path}; to replace them, delete the run at W&B, then: "
        f"wandb sync --include-synced {path}"
    )
