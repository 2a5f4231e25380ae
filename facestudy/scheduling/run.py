"""The command `facestudy run`."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from dvc.exceptions import DvcException
from dvc.utils.cli_parse import to_path_overrides
from dvc.utils.hydra import apply_overrides, get_hydra_sweeps
from filelock import FileLock, Timeout
from rich.console import Console

from facestudy.errors import StudyError
from facestudy.scheduling import graph, table
from facestudy.scheduling.local_engine import LocalEngine
from facestudy.scheduling.resources import Resources
from facestudy.scheduling.scheduler import Engine, Scheduler
from facestudy.scheduling.slurm_engine import SlurmEngine

FOLDER = Path(".run")  # of what is known of a run while it lasts; no stage reads it
LOGS = FOLDER / "logs"


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
    set_param: list[str]


def run(options: Options) -> None:
    """Run all stages that are not up to date, side by side, and end with `dvc repro`, or `dvc exp run` with -S.

    Raises StudyError where a stage fails: those that do not need it have run.
    """
    FOLDER.mkdir(exist_ok=True)
    try:
        with FileLock(FOLDER / "lock", blocking=False):
            _run(options)
    except Timeout:
        raise StudyError(f"another `facestudy run` is at work in this folder ({FOLDER / 'lock'})") from None


def _run(options: Options) -> None:
    began = time.monotonic()
    jobs = FOLDER / "jobs"
    if options.cancel:
        SlurmEngine(jobs, LOGS, {}).cancel()
        return
    _set_parameters(options.set_param)
    checked = subprocess.run([sys.executable, "-m", "stages.check"], check=False)  # DVC hangs at a pipe among photos
    if checked.returncode:
        sys.exit(checked.returncode)  # it has said why
    environment = _environment(options.nproc_per_node)
    engine: Engine
    if options.slurm:
        engine = SlurmEngine(jobs, LOGS, environment)
        stages, fresh = graph.read(engine.adopted())
    else:
        stages, fresh = graph.read(set())
        shutil.rmtree(jobs, ignore_errors=True)  # what an earlier command left; processes' numbers come again
        resources = Resources.of_machine(
            options.jobs, options.training_threads, options.gpus, options.jobs_per_gpu, options.nproc_per_node
        )
        engine = LocalEngine(jobs, LOGS, resources, environment)
    scheduler = Scheduler(stages, engine)
    console = Console()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with table.shown(scheduler, console) as show:
            scheduler.run(fresh, show)
    except BaseException:
        engine.cancel()
        raise
    console.print(table.summary(scheduler.rows, time.monotonic() - began), highlight=False, markup=False)
    failed = [name for name, row in scheduler.rows.items() if row.state == "failed"]
    if failed:
        raise StudyError("\n".join(["failed:", *(f"  {name}: see {LOGS / f'{name}.log'}" for name in failed)]))
    last = ["exp", "run"] if options.set_param else ["repro"]
    if subprocess.run([sys.executable, "-m", "dvc", *last], check=False).returncode:
        raise StudyError(f"`dvc {' '.join(last)}` failed after all stages had run; its message is above")


def _set_parameters(changes: list[str]) -> None:
    """Change params.yaml as `dvc exp run -S` does."""
    try:
        for path, overrides in to_path_overrides(changes).items():
            if len(get_hydra_sweeps({path: overrides})) > 1:
                raise StudyError("-S: one value for each key; `dvc exp run --queue` makes experiments of several")
            apply_overrides(path, overrides)
    except DvcException as error:
        raise StudyError(f"-S: {error}") from None


def _environment(processes: int) -> dict[str, str | None]:
    """The variables of every stage, wherever it runs."""
    group = os.environ.get("WANDB_RUN_GROUP") or time.strftime("run-%Y%m%d-%H%M%S")
    settings: dict[str, str | None] = {"WANDB_RUN_GROUP": group}
    if processes > 1:
        settings["STUDY_LAUNCHER"] = f"torchrun --standalone --nproc-per-node {processes}"
    return settings


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
