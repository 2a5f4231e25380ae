"""Many stages that only wait: no lock of DVC's ends a run."""

from pathlib import Path
from typing import Any

import pytest

from tests.scheduling.toy import ran, toy, waiting

pytestmark = pytest.mark.services
SECONDS = 10


def study(folder: Path, number: int) -> Path:
    """Stages that wait, all of which need a first one, and a last one that needs all."""
    stages: dict[str, Any] = {f"wait{each}": waiting(f"wait{each}", SECONDS, needs=["first"]) for each in range(number)}
    return toy(folder, stages | {"first": waiting("first", 0), "last": waiting("last", 0, needs=list(stages))})


@pytest.mark.parametrize("attempt", range(3))
def test_forty_stages_over_eight_jobs_end_well(attempt: int, tmp_path: Path) -> None:
    printed = ran(study(tmp_path / "toy", 40), "--jobs", "8")
    assert printed.count(": done (") == 42 and "Data and pipelines are up to date." in printed
