"""Stages as processes of this machine, which submitit starts."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from submitit import AutoExecutor
from submitit.core.utils import FailedJobError, UncompletedJobError

from facestudy.scheduling.resources import Resources
from facestudy.scheduling.scheduler import State
from facestudy.scheduling.stage_job import StageJob, Watched, dvc_not_writing

NO_LIMIT = 60 * 24 * 365  # minutes, after which submitit would end a job
END_SECONDS = 10.0


class LocalEngine:
    """Starts stages as long as slots and GPUs are free."""

    poll_seconds = 0.1

    def __init__(self, folder: Path, logs: Path, resources: Resources, environment: dict[str, str | None]) -> None:
        self._executor = AutoExecutor(folder / "%j", cluster="local")
        self._executor.update_parameters(timeout_min=NO_LIMIT)
        self._logs, self._resources, self._environment = logs, resources, environment
        self._running: dict[str, tuple[Any, list[str]]] = {}

    def submit(self, stage: str) -> str | None:
        """Start a stage and say on what; None where it does not fit beside those that run."""
        resources = self._resources
        taken = sum(resources.slots(each) for each in self._running)
        gpus = resources.free_gpus(stage, [gpu for _, used in self._running.values() for gpu in used])
        if gpus is None or taken + resources.slots(stage) > resources.jobs:
            return None
        environment = {**self._environment, **resources.environment(stage, gpus)}
        job = StageJob(stage, self._logs / f"{stage}.log", environment, Watched.this())
        with interrupts_blocked():
            self._running[stage] = self._executor.submit(job), gpus
        return self.where(stage)

    def holds_others(self, stage: str) -> bool:
        """Whether it lacks slots, and not a GPU alone."""
        taken = sum(self._resources.slots(each) for each in self._running)
        return taken + self._resources.slots(stage) > self._resources.jobs

    def where(self, stage: str) -> str:
        """The GPUs of a stage that runs, or its threads."""
        gpus = self._running[stage][1]
        return f"GPU {', '.join(gpus)}" if gpus else f"{self._resources.threads(stage)} threads"

    def ended(self) -> dict[str, State]:
        """The stages that have ended since the last call, and how."""
        ended = {
            stage: outcome(job, self._logs / f"{stage}.log") for stage, (job, _) in self._running.items() if job.done()
        }
        for stage in ended:
            del self._running[stage]
        return ended

    def cancel(self) -> None:
        """End all stages at once, with everything that they started."""
        with interrupts_blocked(), dvc_not_writing():
            processes = [each for job, _ in self._running.values() for each in _with_children(int(job.job_id))]
            for process in processes:  # those that start others first: a stage ends with its DVC, too
                with suppress(psutil.NoSuchProcess):
                    process.kill()
        psutil.wait_procs(processes, END_SECONDS)
        self._running.clear()

    leave = cancel


def outcome(job: Any, log: Path) -> State:
    """What an ended job of submitit returned; where it returned nothing, the log of its stage gets the reason."""
    job._results_timeout_s = 0  # submitit's 15 seconds for slow file systems have passed where they are needed
    try:
        state: State = job.result()
    except (UncompletedJobError, FailedJobError) as error:  # the job was killed, or its code is broken
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as file:
            file.write(f"{error}\n")
        return "failed"
    return state


def _with_children(number: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(number)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


@contextmanager
def interrupts_blocked() -> Iterator[None]:
    """No signal interrupts what is done here, and what is started here inherits that.

    So a terminal's interrupt reaches the command alone, which then ends its jobs.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
