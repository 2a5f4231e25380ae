import gc
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from facestudy.errors import StudyError
from facestudy.stage import main, run
from stages.evaluate import evaluate
from stages.train import train


@pytest.fixture
def collector() -> Iterator[None]:
    """The garbage collector's own settings again after the test."""
    threshold = gc.get_threshold()
    yield
    gc.set_threshold(*threshold)


@pytest.mark.usefixtures("collector")
@pytest.mark.parametrize("stage", [train, evaluate])
@pytest.mark.parametrize("text", ["one", "-1", "0.5", ""])
def test_a_seed_that_is_no_number_is_refused(stage: Callable[[str, str, int], None], text: str) -> None:
    with pytest.raises(SystemExit, match=f"error: '{text}' is not a seed"):
        main(stage, "face", "vgg16", text)


@pytest.mark.usefixtures("collector")
def test_a_stage_with_too_few_or_too_many_arguments_is_refused() -> None:
    for arguments in ((), ("face",), ("face", "vgg16", "0", "1")):
        given = " ".join(arguments) or "none"
        with pytest.raises(SystemExit, match=f"error: train takes TASK VARIANT SEED; given: {given}$"):
            main(train, *arguments)


@pytest.mark.usefixtures("collector")
@pytest.mark.parametrize(
    ("error", "message"),
    [
        (StudyError("no photos"), "error: no photos"),
        (PermissionError(13, "Permission denied", "data"), "error: data: Permission denied; give yourself the right"),
        (OSError(5, "Input/output error"), "error: work: Input/output error"),
        (MemoryError(), "error: work: not enough memory; close other programs"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "error: work: not enough memory"),
    ],
)
def test_a_fault_that_its_user_can_mend_gives_one_message(error: BaseException, message: str) -> None:
    def work() -> None:
        raise error

    with pytest.raises(SystemExit) as ended:
        main(work)
    assert str(ended.value).startswith(message)


@pytest.mark.usefixtures("collector")
@pytest.mark.parametrize(
    ("error", "for_stage", "for_command"),
    [
        (OSError(28, "No space", "out.csv"), "No space; free some, and run `dvc repro` again", "and try again"),
        (MemoryError(), "close other programs, or set a smaller batch_size", "close other programs, and try again"),
    ],
)
def test_what_to_do_again_is_the_stage_or_the_command(
    monkeypatch: pytest.MonkeyPatch, error: Exception, for_stage: str, for_command: str
) -> None:
    def work() -> None:
        raise error

    monkeypatch.setattr(sys, "argv", ["work"])
    with pytest.raises(SystemExit) as stage:
        run(work)
    assert for_stage in str(stage.value)
    with pytest.raises(SystemExit) as command:
        main(work)
    assert for_command in str(command.value) and "dvc repro" not in str(command.value)


@pytest.mark.usefixtures("collector")
def test_an_interrupted_stage_continues_with_dvc_repro_and_a_command_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def work() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "argv", ["work"])
    with pytest.raises(SystemExit) as stage:
        run(work)
    assert str(stage.value) == "work was interrupted; the next `dvc repro` continues from here"
    with pytest.raises(SystemExit) as command:
        main(work)
    assert str(command.value) == "work was interrupted"


@pytest.mark.usefixtures("collector")
@pytest.mark.parametrize("error", [OSError("no number"), KeyError("bug")])
def test_a_bug_keeps_its_traceback(error: Exception) -> None:
    def work() -> None:
        raise error

    with pytest.raises(type(error)):
        main(work)


def test_the_collector_runs_in_a_stages_work_and_not_in_its_imports() -> None:
    script = """
import gc
import stages

passes = []
gc.callbacks.append(lambda phase, details: passes.append(phase))
import stages.evaluate
from facestudy.stage import main, run

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


def test_a_stage_prints_its_fault_in_one_line_and_nothing_else() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "stages.train", "face", "vgg16", "-1"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == "error: '-1' is not a seed; give a whole number from 0 on, as under `seeds` in params.yaml\n"
