"""A small study by `facestudy run`: the bytes of `dvc repro`, however often it was killed, and through Slurm too."""

import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.clone import ran as stages_run
from tests.clone import run, shrunk_clone
from tests.scheduling.slurm import AVAILABLE, NEEDED, slurm
from tests.scheduling.test_run import below, until
from tests.scheduling.toy import started

TIMES = "report"  # the only stage whose output shows seconds
WHOLE = 900  # seconds, after which a study hangs; its forty jobs take 300 by Slurm on two slow cores


def ran_whole(study: Path, *options: str, **environment: str) -> None:
    process = started(study, *options, **environment)
    printed = process.communicate(timeout=WHOLE)[0]
    assert process.returncode == 0, printed


def outputs(study: Path) -> dict[str, Any]:
    """The hashes of all outputs in dvc.lock, by stage, the report left out."""
    stages = yaml.safe_load((study / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    return {name: stage["outs"] for name, stage in stages.items() if name != TIMES}


@pytest.mark.slow
def test_killed_three_times_side_by_side_it_gives_the_bytes_of_dvc_repro(finished_study: Path, tmp_path: Path) -> None:
    shrunk_clone(tmp_path)
    moments = random.Random(0)
    for _ in range(3):
        process = started(tmp_path, "--jobs", "4")
        with pytest.raises(Exception, match="timed out"):
            process.communicate(timeout=moments.uniform(5, 45))
        process.kill()
        process.communicate(timeout=30)
        until(lambda: not below(tmp_path), seconds=30)
    ran_whole(tmp_path, "--jobs", "4", WANDB_MODE="offline")
    assert outputs(tmp_path) == outputs(finished_study)
    assert stages_run(run(tmp_path, "dvc", "repro")) == set()


@pytest.mark.slow
@pytest.mark.skipif(not AVAILABLE, reason=NEEDED)
def test_through_slurm_it_gives_the_same_and_nothing_trains_again_here(finished_study: Path, tmp_path: Path) -> None:
    study = tmp_path / "study"
    study.mkdir()
    shrunk_clone(study)
    with slurm(tmp_path / "slurm") as environment:
        ran_whole(study, "--slurm", WANDB_MODE="offline", **environment)
    assert outputs(study) == outputs(finished_study)
    assert stages_run(run(study, "dvc", "repro")) == set()
