"""Stages as jobs of Slurm, which submitit submits."""

import hashlib
import os
import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, RootModel, ValidationError
from submitit import AutoExecutor, SlurmExecutor, SlurmJob
from submitit.core.utils import FailedJobError
from submitit.helpers import clean_env

from facestudy.errors import StudyError
from facestudy.project.files import Contract, read_json, write_json
from facestudy.scheduling.local_engine import interrupts_blocked, outcome
from facestudy.scheduling.resources import THREADS, kind
from facestudy.scheduling.scheduler import State
from facestudy.scheduling.slurm import LOST, last_state, queue, scancel
from facestudy.scheduling.stage_job import StageJob

SETTINGS, STATE = Path("slurm.yaml"), Path(".run/slurm.json")
GENERAL = {"timeout_min", "mem_gb", "cpus_per_task", "gpus_per_node"}  # submitit's own names
# A stage is one process: what asks for more would run it several times. submitit sets the others itself.
REFUSED = {
    "nodes",
    "ntasks",
    "tasks_per_node",
    "ntasks_per_node",
    "array_parallelism",
    "additional_parameters",
    "requeue",
}
SUBMISSIONS = 5  # of one stage, at most, where such a thing happens
LAG_SECONDS = 120.0  # that a shared file system may take to show the result of a job that has ended
LIMITS = ("Limit", "limit", "try again", "temporarily")  # words of sbatch where it would take the job later
Value = str | int | float | bool | list[str]


class SlurmSettings(RootModel[dict[str, dict[str, Value]]]):
    """slurm.yaml: what sbatch is asked for, by stage; `default` holds for every stage."""

    def of(self, stage: str) -> dict[str, Value]:
        """What a stage asks for."""
        return {"timeout_min": 60 * 24, **self.root.get("default", {}), **self.root.get(kind(stage), {})}

    def gpus(self, stage: str) -> bool:
        """Whether a stage asks for a GPU, by a name of submitit's or one of sbatch's."""
        asked = self.of(stage)
        return "gpu" in str(asked.get("gres", "")) or any(asked[name] for name in asked if name.startswith("gpus"))

    @classmethod
    def read(cls) -> "SlurmSettings":
        """The file, or nothing where there is none. Raises StudyError where it is wrong."""
        if not SETTINGS.exists():
            return cls({})
        try:
            return cls.model_validate(yaml.safe_load(SETTINGS.read_text(encoding="utf-8")) or {})
        except ValidationError as error:
            faults = "".join(f"\n  {'.'.join(map(str, each['loc'][:2]))}: {each['msg']}" for each in error.errors())
            raise StudyError(f"{SETTINGS} is wrong:{faults}") from None
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise StudyError(f"{SETTINGS} is not readable as YAML: {error}") from None


class SlurmJobs(Contract):
    """The jobs of Slurm that may still run, of this folder's study."""

    jobs: dict[str, str] = Field(default_factory=dict, description="Slurm's number of the job, by stage")
    code: str = Field(default="", description="SHA-256 of the parameters and the code that they were submitted with")


def live_jobs() -> SlurmJobs:
    """The jobs that an earlier command left to Slurm, those that wait or run still.

    Raises StudyError where that cannot be known: nothing may run beside them.
    """
    saved = _saved()
    if not saved.jobs:
        return saved
    if shutil.which("squeue") is None:
        raise StudyError(
            f"{STATE} names jobs of Slurm, which is not here; run this where Slurm is, or delete the file once "
            f"`squeue` no longer lists {', '.join(saved.jobs.values())}"
        )
    waiting = queue(saved.jobs.values())
    jobs = {stage: number for stage, number in saved.jobs.items() if number in waiting}
    return saved.model_copy(update={"jobs": jobs})


def cancel_jobs() -> None:
    """End all jobs that an earlier command left to Slurm."""
    scancel(_saved().jobs.values())
    STATE.unlink(missing_ok=True)


def _saved() -> SlurmJobs:
    try:
        return read_json(STATE, SlurmJobs) if STATE.exists() else SlurmJobs()
    except StudyError as error:
        raise StudyError(
            f"{error}\nIt names the jobs that may still run: end them (`squeue --me`, `scancel`) before you delete it"
        ) from None


def code() -> str:
    """SHA-256 of the parameters and the code of all stages."""
    files = [
        Path("params.yaml"),
        Path("dvc.yaml"),
        *sorted(Path("stages").rglob("*.py")),
        *sorted(Path("facestudy").rglob("*.py")),
    ]
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path} {path.stat().st_size}\n".encode() + path.read_bytes())
    return digest.hexdigest()


@contextmanager
def _outside_of_jobs() -> Iterator[None]:
    """Where this command itself is a job of Slurm's, what it submits gets none of its settings but for the cluster."""
    cluster = {name: os.environ[name] for name in ("SLURM_CONF",) if name in os.environ}
    with clean_env():
        os.environ.update(cluster)
        yield


class SlurmEngine:
    """Submits stages to Slurm; its jobs outlive the command, and the next one finds them by a file."""

    poll_seconds = 2.0

    def __init__(self, folder: Path, logs: Path, environment: dict[str, str | None], stages: Iterable[str]) -> None:
        """Raises StudyError where Slurm is not here, or slurm.yaml is wrong for one of these stages."""
        if shutil.which("sbatch") is None:
            raise StudyError("--slurm: sbatch is not here; run this on a login node of the cluster")
        self._folder, self._logs, self._environment = folder, logs, environment
        self._settings, self._code = SlurmSettings.read(), code()
        kinds = {kind(stage) for stage in stages}
        unknown = set(self._settings.root) - kinds - {"default"}
        if unknown:
            raise StudyError(
                f"{SETTINGS}: {', '.join(sorted(unknown))}: no such stage; there are {', '.join(sorted(kinds))}"
            )
        for each in kinds:
            self._executor(each)
        self._running: dict[str, Any] = {}
        self._queued: dict[str, tuple[str, str]] = {}  # state and reason by number
        self._submissions: dict[str, int] = {}
        self._gone: dict[str, float] = {}  # since when a job has been neither in the queue nor had a result
        self._adopted = live_jobs().jobs

    def submit(self, stage: str) -> str | None:
        """Submit a stage, or find the job that an earlier command submitted for it."""
        number = self._adopted.pop(stage, None)
        if number is not None:
            self._running[stage] = SlurmJob(self._folder / "%j", number)
            return self.where(stage)
        try:
            with interrupts_blocked(), _outside_of_jobs():  # a job that nobody knows of would run beside its successor
                self._running[stage] = self._executor(stage).submit(self._job(stage))
                self._save()
        except FailedJobError as error:
            words = str(error).strip().splitlines()[-1]
            if any(word in words for word in LIMITS) and self._running:
                return None
            raise StudyError(f"{SETTINGS}: sbatch refuses {stage}: {words}") from None
        self._submissions[stage] = self._submissions.get(stage, 0) + 1
        return self.where(stage)

    def holds_others(self, stage: str) -> bool:
        """Whether no other would be taken either: Slurm limits a user's jobs."""
        return True

    def where(self, stage: str) -> str:
        """The number of a stage's job, and why it waits."""
        number = self._running[stage].job_id
        state, reason = self._queued.get(number, ("", ""))
        waits = f", {state.lower()} ({reason})" if state == "PENDING" else ""
        return f"Slurm job {number}{waits}"

    def ended(self) -> dict[str, State]:
        """The stages that have ended since the last call, and how; lost jobs are submitted again."""
        for job in self._running.values():  # else NFS would say for a minute that no result is there
            if job.paths.folder.exists():
                list(job.paths.folder.iterdir())
        waiting = {stage: job for stage, job in self._running.items() if not job.paths.result_pickle.exists()}
        self._queued = queue(job.job_id for job in waiting.values())
        ended: dict[str, State] = {}
        for stage, job in list(self._running.items()):
            if stage not in waiting:
                ended[stage] = outcome(job, self._logs / f"{stage}.log")
            elif job.job_id in self._queued:
                self._gone.pop(stage, None)
            elif last_state(job.job_id) != "COMPLETED" or self._waited_long(stage):
                ended |= self._without_result(stage, job.job_id)
        for stage in ended:
            del self._running[stage]
        if ended:
            self._save()
        return ended

    def cancel(self) -> None:
        """End all jobs of this study, those of earlier commands too."""
        with interrupts_blocked():
            scancel([job.job_id for job in self._running.values()] + list(self._adopted.values()))
            STATE.unlink(missing_ok=True)

    def leave(self) -> None:
        """The jobs go on."""
        if self._running:
            print(f"{len(self._running)} jobs go on in Slurm: call again to follow them, or --cancel", file=sys.stderr)

    def _waited_long(self, stage: str) -> bool:
        return time.monotonic() - self._gone.setdefault(stage, time.monotonic()) > LAG_SECONDS

    def _without_result(self, stage: str, number: str) -> dict[str, State]:
        self._gone.pop(stage, None)
        state = last_state(number)
        if state in LOST and self._submissions.get(stage, 0) < SUBMISSIONS and self.submit(stage):
            return {}
        with (self._logs / f"{stage}.log").open("a", encoding="utf-8") as log:
            log.write(f"Slurm ended job {number} of {stage} without a result: {state or 'no longer known to it'}\n")
        return {stage: "failed"}

    def _job(self, stage: str) -> StageJob:
        threads = dict.fromkeys(THREADS, str(self._settings.of(stage).get("cpus_per_task", 1)))
        return StageJob(stage, self._logs / f"{stage}.log", {**self._environment, **threads}, watched=None)

    def _executor(self, stage: str) -> AutoExecutor:
        given = self._settings.of(stage)
        refused = sorted(REFUSED & set(given))
        if refused:
            raise StudyError(
                f"{SETTINGS}: {refused[0]}: a stage is one process of one job (docs/scaling.md has the rest)"
            )
        known = SlurmExecutor._valid_parameters()
        general = {name: value for name, value in given.items() if name in GENERAL}
        own = {f"slurm_{name}": value for name, value in given.items() if name in known - GENERAL}
        rest = {name: value for name, value in given.items() if name not in GENERAL | known}
        setup = own.pop("slurm_setup", [])
        if not isinstance(setup, list):
            raise StudyError(f"{SETTINGS}: setup: {setup!r} is no list of commands")
        executor = AutoExecutor(self._folder / "%j", cluster="slurm")
        try:
            # Without srun, which would bind all threads to one core (sbatch(1), --cpus-per-task, from 22.05 on).
            executor.update_parameters(
                name=stage,
                **general,
                **own,
                slurm_use_srun=False,
                slurm_setup=["trap : TERM", *setup],  # bash would end at once, and with it all processes of the job
                slurm_additional_parameters={"requeue": True, **rest},
            )
        except (ValueError, TypeError, AssertionError, NameError) as error:
            raise StudyError(f"{SETTINGS}: {error}") from None
        return executor

    def _save(self) -> None:
        jobs = {stage: job.job_id for stage, job in self._running.items()} | self._adopted
        write_json(STATE, SlurmJobs(jobs=jobs, code=self._code))
