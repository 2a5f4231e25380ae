"""What `facestudy run` costs: stages that only wait, one at a time and four at a time.

    python -m benchmarks.waiting

prints the seconds of both, and how much longer four jobs take than a quarter of the time of one.
"""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.scheduling.toy import ran, toy, waiting

STAGES, SECONDS, JOBS = 16, 10, 4


def seconds(jobs: int) -> float:
    """Of a run of all stages from nothing."""
    with TemporaryDirectory() as folder:
        study = toy(Path(folder) / "toy", {f"wait{each}": waiting(f"wait{each}", SECONDS) for each in range(STAGES)})
        began = time.perf_counter()
        ran(study, "--jobs", str(jobs))
        return time.perf_counter() - began


if __name__ == "__main__":
    one, several = seconds(1), seconds(JOBS)
    print(f"{STAGES} stages of {SECONDS} s: {one:.1f} s one at a time, {several:.1f} s {JOBS} at a time, ", end="")
    print(f"{several / (one / JOBS):.2f} times the ideal")
