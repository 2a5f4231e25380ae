"""What Slurm's own commands say; no accounting is needed."""

import subprocess
import time
from collections.abc import Iterable

from facestudy.errors import StudyError

LOST = {"NODE_FAIL", "PREEMPTED", "BOOT_FAIL", "REVOKED"}  # states of a job that ended by no fault of its own
ENDED = LOST | {"CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "OUT_OF_MEMORY", "TIMEOUT"}


def queue(numbers: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Those jobs that wait or run, each with its state and the reason why it waits.

    Raises StudyError where Slurm does not answer.
    """
    wanted = set(numbers)
    if not wanted:
        return {}
    listed = _asked(["squeue", "--me", "--noheader", "--format=%i|%T|%r", "--states=all"], tries=6)
    found = {}
    for line in listed.splitlines():
        number, state, reason = line.strip().split("|", 2)
        if number in wanted and state not in ENDED:
            found[number] = state, reason
    return found


def last_state(number: str) -> str | None:
    """How a job ended, which Slurm knows for some minutes without accounting."""
    command = ["scontrol", "--oneliner", "show", "job", number]
    described = subprocess.run(command, capture_output=True, text=True, check=False)
    fields = dict(part.partition("=")[::2] for part in described.stdout.split())
    return fields.get("JobState")


def scancel(numbers: Iterable[str]) -> None:
    """End jobs, those that have ended already too."""
    command = ["scancel", *numbers]
    if command[1:]:
        _asked(command, tries=3)


def _asked(command: list[str], tries: int) -> str:
    """What a command of Slurm prints; its controller may be away for a while, as on a restart."""
    for attempt in range(tries):
        time.sleep(2.0**attempt if attempt else 0)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout
    raise StudyError(f"Slurm does not answer: {' '.join(command)}: {done.stderr.strip()}")
