import subprocess
import sys
from collections.abc import Callable

import pytest

from stages.errors import StudyError
from stages.evaluate import evaluate
from stages.plot import plot
from stages.train import train


@pytest.mark.parametrize("stage", [train, evaluate, plot])
@pytest.mark.parametrize("text", ["one", "-1", "0.5", ""])
def test_a_seed_that_is_no_number_is_refused(stage: Callable[[str, str, str], None], text: str) -> None:
    with pytest.raises(StudyError, match=f"'{text}' is no seed"):
        stage("face", "vgg16", text)


def test_the_collector_runs_in_a_stages_work_and_not_in_its_imports() -> None:
    script = """
import gc
import stages

passes = []
gc.callbacks.append(lambda phase, about: passes.append(phase))
import stages.evaluate
from stages.errors import main

assert not passes, f"{passes} during the imports"
def work() -> None:
    assert gc.get_freeze_count() > 100_000
    for _ in range(100_000):
        circle = []
        circle.append(circle)
    assert passes, "none during the work"
main(work)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_fault_is_told_in_one_line_and_nothing_else() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "stages.train", "face", "vgg16", "-1"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == "error: '-1' is no seed; give a whole number from 0 on, as under `seeds` in params.yaml\n"
