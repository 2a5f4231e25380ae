"""What a job of submitit does: one stage, by `dvc repro --single-item`."""

import ctypes
import fcntl
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Literal

import psutil
from dvc.config import Config
from dvc.lock import LockError, make_lock
from dvc.rwlock import RWLOCK_FILE, RWLOCK_LOCK
from submitit.helpers import DelayedSubmission

Outcome = Literal["done", "restored", "unchanged", "failed"]
# How DVC says that another DVC holds a lock which --wait-for-lock does not wait for: the guard of its list of read and
# written paths, for about 3 seconds, and a path of that list.
LOCKED = ("Unable to acquire lock. Most likely another DVC", "is busy, it is being blocked by")
CUT_SHORT = "Unable to read RWLock-file"  # that list, where DVC was killed while it wrote it
LOCK_TRIES, LOCK_PAUSE = 60, 2.0  # seconds, at most, between two tries
WATCH_SECONDS = 0.5
LOCK_SECONDS = 10.0
SIGNAL_SECONDS = 2.0  # within which Slurm's signal, which ends a stage and this process, reaches both
END_SECONDS = 20.0  # for DVC to write that its stage has ended; Slurm waits 30 before SIGKILL (KillWait)
# Slurm signals all processes of a job: DVC lets its stage end and closes its files, instead of being cut short.
DVC = """\
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: None)
from dvc.cli import main
sys.exit(main(sys.argv[1:]))
"""
SAID: dict[str, Outcome] = {"is cached - skipping run": "restored", "didn't change, skipping": "unchanged"}


@dataclass(frozen=True)
class Watched:
    """A process of this machine with which a job ends; its start tells it from a later one of the same number."""

    number: int
    started: str

    @classmethod
    def this(cls) -> "Watched":
        """This process."""
        return cls(os.getpid(), _started(os.getpid()) or "")

    def alive(self) -> bool:
        """Whether it has not ended."""
        return _started(self.number) == self.started


def _started(number: int) -> str | None:
    """When a process started, by a clock that nobody sets; None where it has ended."""
    try:
        if psutil.Process(number).status() == psutil.STATUS_ZOMBIE:
            return None
        if sys.platform == "linux":  # psutil adds the time of day at the start, which steps
            return Path(f"/proc/{number}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
        return str(psutil.Process(number).create_time())
    except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
        return None


@dataclass
class StageJob:
    """One stage; called in a process of submitit's, it returns how the stage ended.

    `environment` holds variables to set, or to remove where None. `watched`: the process whose end ends the job; None
    on Slurm, whose jobs outlive the command.
    """

    stage: str
    log: Path
    environment: dict[str, str | None]
    watched: Watched | None

    def __call__(self) -> Outcome:
        """Run the stage, again where another DVC holds a lock; all that it prints is appended to the log."""
        if self.watched is None:
            signal.signal(signal.SIGTERM, _terminate)
        elif sys.platform != "win32":  # a lost terminal: first all that was started must end
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        try:
            return self._reproduce()
        except _Terminated:  # no fault of the stage, and so no result: Slurm knows why
            os._exit(1)

    def _reproduce(self) -> Outcome:
        pause = random.Random(os.getpid())
        # What DVC says where its list has lost an entry, as by the removal below: nothing.
        again = (*LOCKED, CUT_SHORT, f"failed to reproduce '{self.stage}': \n")
        for _ in range(LOCK_TRIES):
            with self.log.open("ab") as log:
                begin = log.tell()
                status = self._run(log.fileno())
            said = self.log.read_bytes()[begin:].decode(errors="replace")
            if status == 0:
                beginnings = {f"Stage '{self.stage}' {words}": outcome for words, outcome in SAID.items()}
                by_dvc = (beginning for beginning in beginnings if f"\n{beginning}" in f"\n{said}")
                return next((beginnings[beginning] for beginning in by_dvc), "done")
            said = said[said.rfind("ERROR: ") :]  # by DVC, after all that the stage itself printed
            if f"'{self.stage}': failed to run: " in said:  # with the stage's command, whatever words that has
                said = ""
            if self.watched is None:
                time.sleep(SIGNAL_SECONDS)
            if not any(words in said for words in again):
                break
            if CUT_SHORT in said:
                remove_if_cut_short()
            time.sleep(LOCK_PAUSE * pause.random())
        return "failed"

    def checkpoint(self) -> DelayedSubmission:
        """What submitit submits again where Slurm preempts the job: a training goes on where it was."""
        return DelayedSubmission(self)

    def _run(self, log: int) -> int:
        command = [sys.executable, "-c", DVC, "--wait-for-lock", "repro", "--single-item", self.stage]
        environment = {**os.environ, **self.environment}
        process = subprocess.Popen(
            command,
            env={name: value for name, value in environment.items() if value is not None},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # so that one signal reaches DVC and all that it starts
            preexec_fn=end_with_parent,  # noqa: PLW1509 (the other thread starts after it)
        )
        ended = threading.Event()
        if self.watched is not None:
            threading.Thread(target=self._end_with_command, args=(process, ended), daemon=True).start()
        try:
            return process.wait()
        except BaseException as error:  # a signal of Slurm's, or submitit's own: nothing may go on
            if isinstance(error, _Terminated):
                with suppress(ProcessLookupError, subprocess.TimeoutExpired):
                    os.killpg(process.pid, signal.SIGTERM)
                    process.wait(END_SECONDS)
            with dvc_not_writing():
                kill(process)
            raise
        finally:
            ended.set()

    def _end_with_command(self, process: "subprocess.Popen[bytes]", ended: threading.Event) -> None:
        assert self.watched is not None
        submitit = os.getppid()
        while not ended.wait(WATCH_SECONDS):
            if not self.watched.alive() or os.getppid() != submitit:
                with dvc_not_writing():
                    kill(process)
                os._exit(1)


class _Terminated(BaseException):
    """Slurm cancels or preempts the job."""


def _terminate(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise _Terminated


def status_of(command: list[str]) -> int:
    """Run a command that ends, with all that it starts, where this process is interrupted or ends."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=end_with_parent,  # noqa: PLW1509 (no other thread of this process starts any)
    )
    try:
        return process.wait()
    except BaseException:
        with dvc_not_writing():
            kill(process)
        raise


def end_with_parent() -> None:
    """In a new process: get every signal, and on Linux be killed when the one that started it ends (prctl(2))."""
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


@contextmanager
def dvc_not_writing() -> Iterator[None]:
    """Hold the lock under which DVC writes dvc.lock and its own files, so that a kill within cuts none of them short.

    DVC has it but for the time in which a stage's command runs; after some seconds this goes on without it, and at
    once where DVC uses links in place of locks (`core.hardlink_lock`): a link stays after a kill, and DVC waits for it.
    """
    if Config.from_cwd()["core"].get("hardlink_lock", False):
        yield
        return
    path = Path(".dvc/tmp/lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + LOCK_SECONDS
    with path.open("ab") as file:
        while time.monotonic() < end:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.02)
            except OSError:  # a file system without locks
                break
        yield


def remove_if_cut_short() -> None:
    """Remove DVC's list of the paths in use where it is no JSON; a DVC that is at work now repeats its stage's end."""
    folder = Path(".dvc/tmp")
    hardlink = Config.from_cwd()["core"].get("hardlink_lock", False)
    with suppress(LockError), make_lock(str(folder / RWLOCK_LOCK), tmp_dir=str(folder), hardlink_lock=hardlink):
        try:
            json.loads((folder / RWLOCK_FILE).read_bytes())
        except ValueError:
            (folder / RWLOCK_FILE).unlink()
        except FileNotFoundError:  # another job was here before
            pass


def kill(process: "subprocess.Popen[bytes]") -> None:
    """End a process, all of its session and all below it at once; a stage leaves nothing half written of its own."""
    below: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):
        below = psutil.Process(process.pid).children(recursive=True)  # torchrun's have sessions of their own
    with suppress(ProcessLookupError):  # DVC first, which would write of the end of its stage
        os.killpg(process.pid, signal.SIGKILL)
    for each in below:
        with suppress(psutil.NoSuchProcess):
            each.kill()
    process.wait()
