"""The command `facestudy run`."""

import os
import shutil
import signal
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

from dvc.exceptions import DvcException
from dvc.utils.cli_parse import to_path_overrides
from dvc.utils.hydra import apply_overrides, get_hydra_sweeps
from filelock import FileLock, Timeout
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console

from facestudy import presets
from facestudy.errors import StudyError
from facestudy.scheduling import graph, slurm_engine, table
from facestudy.scheduling.local_engine import LocalEngine
from facestudy.scheduling.resources import Resources
from facestudy.scheduling.scheduler import Engine, Scheduler
from facestudy.scheduling.slurm_engine import SlurmEngine, SlurmSettings
from facestudy.scheduling.stage_job import status_of

FOLDER = Path(".run")  # of what is known of a run while it lasts; no stage reads it
LOGS = FOLDER / "logs"
LAST_LINES = 5
INTERRUPTED = "the run was interrupted, and what ran was ended; `facestudy run` continues from here"
CHANGED = (
    ". params.yaml has the changes of -S already, so leave out those with ~, which find nothing to remove any more; "
    "without any -S, `dvc exp save` makes the experiment afterwards"
)


@dataclass(frozen=True)
class Options:
    """What the command line of `facestudy run` says."""

    jobs: int | None
    training_threads: int | None
    gpus: int | None
    jobs_per_gpu: int
    nproc_per_node: int
    slurm: bool
    cancel: bool
    preset: str | None
    set_param: list[str]


def run(options: Options) -> None:
    """Run all stages that are not up to date, side by side, and end with `dvc repro`, or `dvc exp run` with -S.

    Raises StudyError where a stage fails: those that do not need it have run.
    """
    if not (Path("dvc.yaml").is_file() and Path("stages").is_dir()):
        raise StudyError("there is no dvc.yaml with stages/ here; run this in the folder of the study")
    LOGS.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(FOLDER / "lock", blocking=False):
            _run(options)
    except Timeout:
        raise StudyError(f"another `facestudy run` is at work in this folder ({FOLDER / 'lock'})") from None


def _run(options: Options) -> None:
    began = time.monotonic()
    signal.signal(signal.SIGTERM, _interrupt)
    if options.cancel:
        slurm_engine.cancel_jobs()
        return
    if options.preset is not None:
        changes, _ = presets.read(options.preset, _gpus(options))
        options = replace(options, set_param=[*changes, *options.set_param])
    _refuse_what_does_not_fit(options)
    resources = None  # of this machine
    if not options.slurm:
        resources = Resources.of_machine(
            options.jobs, options.training_threads, options.gpus, options.jobs_per_gpu, options.nproc_per_node
        )
    _set_parameters(options.set_param)
    checked = status_of([sys.executable, "-m", "stages.check"])  # DVC hangs at a pipe among photos
    if checked:
        sys.exit(checked)  # it has said why
    environment = _environment(options.nproc_per_node)
    stages, fresh = graph.read(set(slurm_engine.live_jobs().jobs))
    engine: Engine
    if resources is None:
        engine = SlurmEngine(FOLDER / "slurm", LOGS, environment, stages.needs)
    else:
        jobs = FOLDER / "local"
        shutil.rmtree(jobs, ignore_errors=True)  # what an earlier command left; processes' numbers come again
        engine = LocalEngine(jobs, LOGS, resources, environment)
    scheduler = Scheduler(stages, engine)
    console = Console()
    try:
        with table.shown(scheduler, console) as show:
            scheduler.run(fresh, show)
    except KeyboardInterrupt:
        engine.cancel()
        raise StudyError(INTERRUPTED + (CHANGED if options.set_param else "")) from None
    except BaseException:
        engine.leave()
        raise
    console.print(table.summary(scheduler.rows, time.monotonic() - began), highlight=False, markup=False)
    failed = [name for name, row in scheduler.rows.items() if row.state == "failed"]
    if failed:
        raise StudyError("\n".join(["failed:", *map(_described, failed)]))
    last = ["exp", "run"] if options.set_param else ["repro"]
    if status_of([sys.executable, "-m", "dvc", "--wait-for-lock", *last]):
        raise StudyError(f"`dvc {' '.join(last)}` failed after all stages had run; its message is above")


def _gpus(options: Options) -> bool | None:
    """Whether trainings will have a GPU; None for whether this machine has one. On Slurm, slurm.yaml says it."""
    if options.slurm:
        return SlurmSettings.read().gpus("train")
    return False if options.gpus == 0 else None


def _refuse_what_does_not_fit(options: Options) -> None:
    """Raises StudyError where options do not go together, or with the jobs that an earlier command left to Slurm."""
    if "STUDY_LAUNCHER" in os.environ:
        raise StudyError(
            "STUDY_LAUNCHER is set: unset it, and use --nproc-per-node for several processes of a training"
        )
    here = {"--jobs": options.jobs, "--training-threads": options.training_threads, "--gpus": options.gpus}
    given = [name for name, value in here.items() if value is not None]
    if options.slurm and (given or options.nproc_per_node > 1):
        raise StudyError(f"{(given or ['--nproc-per-node'])[0]} is for this machine; with --slurm, slurm.yaml says it")
    live = slurm_engine.live_jobs()
    if live.jobs and not (options.slurm and not options.set_param and live.code == slurm_engine.code()):
        raise StudyError(
            f"{len(live.jobs)} jobs of an earlier `facestudy run --slurm` are in Slurm still. `facestudy run --slurm` "
            "waits for them, with the parameters and the code that they were submitted with; before anything else, end "
            "them by `facestudy run --cancel`"
        )


def _set_parameters(changes: list[str]) -> None:
    """Change params.yaml as `dvc exp run -S` does."""
    try:
        for path, overrides in to_path_overrides(changes).items():
            if len(get_hydra_sweeps({path: overrides})) > 1:
                raise StudyError("-S: one value for each key; `dvc exp run --queue` makes experiments of several")
            apply_overrides(path, overrides)
    except (DvcException, HydraException, OmegaConfBaseException) as error:
        reason = f": {error.__cause__}" if error.__cause__ else ""  # which names the key
        raise StudyError(f"-S: {error}{reason}") from None


def _described(stage: str) -> str:
    """A failed stage, its log, and the last lines there."""
    log = LOGS / f"{stage}.log"
    last = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:] if log.exists() else []
    return "\n".join([f"  {stage}: see {log}, which ends:", *(f"    {line}" for line in last)])


def _environment(processes: int) -> dict[str, str | None]:
    """The variables of every stage, wherever it runs."""
    group = os.environ.get("WANDB_RUN_GROUP") or time.strftime("run-%Y%m%d-%H%M%S")
    settings: dict[str, str | None] = {"WANDB_RUN_GROUP": group}
    if processes > 1:
        settings["STUDY_LAUNCHER"] = f"torchrun --standalone --nproc-per-node {processes}"
    return settings


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
