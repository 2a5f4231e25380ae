"""Stages as jobs of Slurm, which submitit submits."""

import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, RootModel, ValidationError
from submitit import AutoExecutor, SlurmExecutor, SlurmJob
from submitit.core.utils import FailedJobError, UncompletedJobError

from facestudy.errors import StudyError
from facestudy.project.files import Contract, read_json, write_json
from facestudy.scheduling.resources import THREADS, kind
from facestudy.scheduling.scheduler import State
from facestudy.scheduling.stage_job import StageJob

SETTINGS = Path("slurm.yaml")
GENERAL = {"timeout_min", "mem_gb", "nodes", "cpus_per_task", "gpus_per_node", "tasks_per_node"}  # submitit's own names
LOST = {"NODE_FAIL", "PREEMPTED", "BOOT_FAIL", "REVOKED"}  # states of a job that ended by no fault of its own
ENDED = LOST | {"CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "OUT_OF_MEMORY", "TIMEOUT"}
SUBMISSIONS = 5  # of one stage, at most, where such a thing happens
LAG_SECONDS = 15.0  # that a shared file system may take to show a result
Value = str | int | float | bool


class SlurmSettings(RootModel[dict[str, dict[str, Value]]]):
    """slurm.yaml: what sbatch is asked for, by stage; `default` holds for every stage."""

    def of(self, stage: str) -> dict[str, Value]:
        """What a stage asks for."""
        return {**self.root.get("default", {}), **self.root.get(kind(stage), {})}

    @classmethod
    def read(cls) -> "SlurmSettings":
        """The file, or nothing where there is none. Raises StudyError where it is wrong."""
        if not SETTINGS.exists():
            return cls({})
        try:
            return cls.model_validate(yaml.safe_load(SETTINGS.read_text(encoding="utf-8")) or {})
        except (yaml.YAMLError, UnicodeDecodeError, ValidationError) as error:
            raise StudyError(f"{SETTINGS} is wrong: {error}") from None


class SlurmJobs(Contract):
    """The jobs of Slurm that may still run, of this folder's study."""

    jobs: dict[str, str] = Field(default_factory=dict, description="Slurm's number of the job, by stage")


class SlurmEngine:
    """Submits stages to Slurm; its jobs outlive the command, and the next one finds them by a file."""

    poll_seconds = 1.0

    def __init__(self, folder: Path, logs: Path, environment: dict[str, str | None]) -> None:
        if shutil.which("sbatch") is None:
            raise StudyError("--slurm: sbatch is not here; run this on a login node of the cluster")
        self._folder, self._logs, self._environment = folder, logs, environment
        self._settings, self._state = SlurmSettings.read(), folder / "slurm.json"
        self._running: dict[str, Any] = {}
        self._submissions: dict[str, int] = {}
        self._gone: dict[str, float] = {}  # since when a job has been neither in the queue nor had a result
        queued = queue(list(self._saved().values()))
        self._adopted = {stage: number for stage, number in self._saved().items() if number in queued}

    def adopted(self) -> set[str]:
        """The stages whose jobs an earlier command submitted, and which have not ended."""
        return set(self._adopted)

    def submit(self, stage: str) -> str | None:
        """Submit a stage, or find the job that an earlier command submitted for it."""
        number = self._adopted.pop(stage, None)
        if number is not None:
            self._running[stage] = SlurmJob(self._folder / "%j", number)
        else:
            self._running[stage] = self._executor(stage).submit(self._job(stage))
            self._submissions[stage] = self._submissions.get(stage, 0) + 1
        self._save()
        return f"Slurm job {self._running[stage].job_id}"

    def ended(self) -> dict[str, State]:
        """The stages that have ended since the last call, and how; lost jobs are submitted again."""
        waiting = {stage: job for stage, job in self._running.items() if not job.paths.result_pickle.exists()}
        queued = queue([job.job_id for job in waiting.values()])
        ended: dict[str, State] = {}
        for stage, job in list(self._running.items()):
            if stage not in waiting:
                ended[stage] = _outcome(job)
            elif job.job_id in queued:
                self._gone.pop(stage, None)
            elif time.monotonic() - self._gone.setdefault(stage, time.monotonic()) > LAG_SECONDS:
                ended |= self._without_result(stage, job.job_id)
        for stage in ended:
            del self._running[stage]
        if ended:
            self._save()
        return ended

    def cancel(self) -> None:
        """End all jobs of this study, those of earlier commands too."""
        scancel([job.job_id for job in self._running.values()] + list(self._adopted.values()))
        self._running.clear()
        self._adopted.clear()
        self._save()

    def _without_result(self, stage: str, number: str) -> dict[str, State]:
        del self._gone[stage]
        state = last_state(number)
        if state in LOST and self._submissions.get(stage, 0) < SUBMISSIONS:
            self.submit(stage)
            return {}
        with (self._logs / f"{stage}.log").open("a", encoding="utf-8") as log:
            log.write(f"Slurm ended job {number} of {stage} without a result: {state or 'no longer known to it'}\n")
        return {stage: "failed"}

    def _job(self, stage: str) -> StageJob:
        cores = self._settings.of(stage).get("cpus_per_task", 1)
        threads = dict.fromkeys(THREADS, str(cores))
        return StageJob(stage, self._logs / f"{stage}.log", {**self._environment, **threads}, watched=None)

    def _executor(self, stage: str) -> AutoExecutor:
        executor = AutoExecutor(self._folder / "%j", cluster="slurm")
        given = {"timeout_min": 60 * 24, **self._settings.of(stage)}
        known = SlurmExecutor._valid_parameters()
        general = {name: value for name, value in given.items() if name in GENERAL}
        own = {f"slurm_{name}": value for name, value in given.items() if name in known - GENERAL}
        rest = {name: value for name, value in given.items() if name not in GENERAL | known}
        try:
            executor.update_parameters(
                name=stage, **general, **own, slurm_additional_parameters={"requeue": True, **rest}
            )
        except (ValueError, AssertionError) as error:
            raise StudyError(f"{SETTINGS}: {error}") from None
        return executor

    def _saved(self) -> dict[str, str]:
        return read_json(self._state, SlurmJobs).jobs if self._state.exists() else {}

    def _save(self) -> None:
        jobs = {stage: job.job_id for stage, job in self._running.items()} | self._adopted
        write_json(self._state, SlurmJobs(jobs=jobs))


def _outcome(job: Any) -> State:
    try:
        state: State = job.result()
    except (UncompletedJobError, FailedJobError):
        return "failed"
    return state


def queue(numbers: list[str]) -> set[str]:
    """Those jobs that wait or run. Raises StudyError where Slurm does not answer."""
    if not numbers:
        return set()
    listed = _asked(["squeue", "--me", "--noheader", "--format=%i %T", "--states=all"], retry=True)
    states = dict(line.split() for line in listed.splitlines())
    return {number for number in numbers if states.get(number, "COMPLETED") not in ENDED}


def last_state(number: str) -> str | None:
    """How a job ended, which Slurm knows for some minutes without accounting."""
    described = subprocess.run(
        ["scontrol", "--oneliner", "show", "job", number], capture_output=True, text=True, check=False
    )
    fields = dict(part.partition("=")[::2] for part in described.stdout.split())
    return fields.get("JobState")


def scancel(numbers: list[str]) -> None:
    """End jobs, those that have ended already too."""
    if numbers:
        _asked(["scancel", *numbers], retry=False)


def _asked(command: list[str], retry: bool) -> str:
    """What a command of Slurm prints; its controller may be away for a while, as on a restart."""
    for attempt in range(6 if retry else 1):
        time.sleep(2.0**attempt if attempt else 0)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout
    raise StudyError(f"Slurm does not answer: {' '.join(command)}: {done.stderr.strip()}")
