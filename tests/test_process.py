"""Whatever ends `dvc`, nothing that it started continues; and a stage ends at once when its work is done."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from facestudy import process
from tests.inputs import ROOT

STAGE = """
import sys, time
from pathlib import Path
from facestudy.stage import main
def stage():
    Path("started").touch()
    for beat in range(600):
        Path("beat").write_text(str(beat))
        time.sleep(0.05)
main(stage)
"""


def end_dvc(folder: Path, command: str, sign: signal.Signals) -> None:
    """Run a stage by DVC, which gets the signal when the file `started` is there."""
    bin_folder = Path(sys.executable).parent
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{bin_folder}:{os.environ['PATH']}"}
    (folder / "work.py").write_text(STAGE, encoding="utf-8")
    text = f"stages:\n  work:\n    cmd: {command.format(python=sys.executable)}\n    outs: [beat]\n"
    (folder / "dvc.yaml").write_text(text, encoding="utf-8")
    subprocess.run(["dvc", "init", "-q", "--no-scm"], cwd=folder, env=environment, check=True)
    process = subprocess.Popen(["dvc", "repro"], cwd=folder, env=environment, start_new_session=True)
    deadline = time.monotonic() + 30
    while not (folder / "started").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(process.pid, sign)
    process.wait(timeout=30)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel is asked in Linux's way")
def test_a_stage_whose_dvc_has_ended_does_not_begin(tmp_path: Path) -> None:
    end_dvc(tmp_path, "touch started; sleep 2; {python} work.py; echo $? > ended", signal.SIGKILL)
    deadline = time.monotonic() + 30
    while not (tmp_path / "ended").exists() and not (tmp_path / "beat").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert not (tmp_path / "beat").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel is asked in Linux's way")
@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("command", ["{python} work.py", "sh -c '{python} work.py; true'"])
def test_a_stage_ends_with_dvc(tmp_path: Path, sign: signal.Signals, command: str) -> None:
    end_dvc(tmp_path, command, sign)
    time.sleep(0.5)
    beat = (tmp_path / "beat").read_text()
    time.sleep(0.5)
    assert (tmp_path / "beat").read_text() == beat


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel is asked in Linux's way")
@pytest.mark.parametrize("parent", ["ended", "another process"])
def test_a_worker_that_has_lost_its_parent_ends_at_once(parent: str) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    number = ended.pid if parent == "ended" else os.getppid()
    code = f"import time; from facestudy.process import end_with_parent; end_with_parent({number}); time.sleep(20)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=10, check=False)
    assert done.returncode == -signal.SIGKILL


ENDING = """
import stages  # whose handler is registered before all others, and so runs last
import atexit, threading, time
from facestudy.stage import main
class Whole:
    def __del__(self): print("taken apart")
whole = Whole()
def late():
    time.sleep(0.3)
    print("thread")
def stage():
    atexit.register(print, "handler")
    threading.Thread(target=late).start()
    print("stage")
    {failure}
main(stage)
"""


@pytest.mark.parametrize(
    ("plain", "failure", "code", "end"),
    [
        ("", "", 0, ""),
        ("exit", "", 0, "taken apart\n"),  # the trick left out
        ("", "raise OSError(28, 'No space', 'disk')", 1, "taken apart\n"),
    ],
)
def test_a_stage_ends_when_threads_and_handlers_are_done(plain: str, failure: str, code: int, end: str) -> None:
    """A successful one takes no object apart."""
    command = [sys.executable, "-c", ENDING.replace("{failure}", failure)]
    environment = {**os.environ, "STUDY_PLAIN": plain}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (code, f"stage\nthread\nhandler\n{end}")
    assert done.stderr == ("error: disk: No space; free some, and try again\n" if failure else "")


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
def test_output_without_space_gives_a_message() -> None:
    code = "from facestudy.stage import main; main(print, 'lost')"
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=buffered, stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode != 0
    assert done.stderr.decode().startswith("error: print: No space left on device; free some")


DRAWING = """
from pathlib import Path
from facestudy.synthetic.photo_sets import collect_pretraining
collect_pretraining(50, 5000, ["happy"], 96, 0, Path("drawn"))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel is asked in Linux's way")
def test_workers_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", DRAWING], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob("drawn/*.jpg"))) < 5:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    workers = psutil.Process(process.pid).children(recursive=True)
    assert workers
    process.kill()
    process.wait()
    assert psutil.wait_procs(workers, timeout=10)[1] == []


COMPILER = """
import stages, sys
import torch
from lightning_fabric import Fabric
from lightning_fabric.wrappers import is_wrapped
from torchvision.ops import roi_align
from facestudy.models import networks
from facestudy.models.device import fabric_for
fabric_for("32-true")
assert networks and torch.get_deterministic_debug_mode() == 1 and "torch._dynamo" not in sys.modules
fabric, features, boxes = Fabric(accelerator="cpu"), torch.ones(1, 1, 8, 8), [torch.tensor([[0.0, 0.0, 4.0, 4.0]])]
assert not is_wrapped(torch.nn.Linear(2, 2)) and "torch._dynamo" not in sys.modules
assert roi_align(features, boxes, 2).tolist() == [[[[1.0, 1.0], [1.0, 1.0]]]]
compiled = torch.compile(torch.nn.Linear(2, 2), backend="eager")
ready = fabric.setup_module(compiled)
assert is_wrapped(ready) and isinstance(ready._forward_module, torch._dynamo.OptimizedModule)
assert ready(torch.ones(1, 2)).shape == (1, 2)
"""


@pytest.mark.parametrize("plain", ["", pytest.param("compiler", marks=pytest.mark.slow)])
def test_the_compiler_is_imported_when_it_is_used(plain: str) -> None:
    """torchvision and Fabric import torch's compiler with themselves; here later, and they work as with it."""
    code = COMPILER.replace(' and "torch._dynamo" not in sys.modules', "") if plain else COMPILER
    environment = {**os.environ, "STUDY_PLAIN": plain}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_a_version_that_needs_more_of_the_compiler_imports_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "lightning_fabric.wrappers"
    finder, folder = process._CompilerLater(), tmp_path / "lightning_fabric"
    folder.mkdir()
    monkeypatch.delitem(sys.modules, "torch._dynamo", raising=False)
    for text, later in (("OptimizedModule", True), ("OptimizedModule, disable", False)):
        (folder / "wrappers.py").write_text(f"from torch._dynamo import {text}\n", encoding="utf-8")
        assert (finder.find_spec(name, [str(folder)]) is not None) == later
