"""A training that is killed continues where it was, and ends with the bytes of one that never was."""

import contextlib
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from facestudy.errors import StudyError
from facestudy.models import checkpoints, networks
from facestudy.models.device import fabric_for
from facestudy.models.metadata import WeightsMetadata
from facestudy.project import paths
from facestudy.training import frozen_features, resume
from facestudy.training.histograms import Recorder
from facestudy.training.history import Epoch, History
from facestudy.training.loop import Training
from tests.inputs import pack_noise, write_params
from tests.models.test_distributed import CONVNEXT, TORCHRUN, environment
from tests.test_tracking import records
from tests.training.test_loop import pictures, recipe

TASK = "face"
EPOCHS = {"resnet18_scratch": 6, "vgg16": 8}  # enough to be in the middle for a while
PLAIN = [sys.executable]
SLOW = pytest.mark.slow


def outputs(variant: str) -> dict[str, bytes]:
    metrics = paths.model_metrics(TASK, variant, 0)
    files = [paths.checkpoint(TASK, variant, 0), paths.histograms(TASK, variant, 0)]
    return {path.name: path.read_bytes() for path in [*files, metrics / "history.csv", metrics / "epochs.log"]}


def prepared(folder: Path, **changes: Any) -> None:
    """A face task of noise in a folder, which becomes the current one."""
    folder.mkdir()
    os.chdir(folder)
    epochs = {f"variants.{variant}.epochs.face": number for variant, number in EPOCHS.items()}
    # 32 pixels leave one cell of features.
    write_params(folder, {"variants.vgg16.head": "pooled"} | changes | epochs)
    pack_noise(70, train=49)
    for variant in EPOCHS:
        initial = WeightsMetadata(arch=variant, origin="random weights")
        checkpoints.save(paths.initial_weights(variant), {}, initial)


def started(launcher: list[str], variant: str, **more: str) -> "subprocess.Popen[str]":
    command = [*launcher, "-m", "stages.train", TASK, variant, "0"]
    settings = environment(PYTHONUNBUFFERED="1", **{"STUDY_RESUME_SHARE": "inf"} | more)
    return subprocess.Popen(
        command, env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def finished(launcher: list[str], variant: str, **more: str) -> str:
    process = started(launcher, variant, **more)
    printed = process.communicate(timeout=120)[0]
    assert process.returncode == 0, printed
    return printed


def killed(launcher: list[str], variant: str, after: int, sign: signal.Signals, **more: str) -> None:
    """Train until so many epochs are printed, and end the training with all its processes."""
    process = started(launcher, variant, **more)
    assert process.stdout is not None
    printed = ""
    for line in process.stdout:
        printed += line
        if f"Epoch {after}/{EPOCHS[variant]}" in line:
            break
    for _ in range(4):  # an interrupt during a callback is lost: Python ignores what is raised there
        for each in [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]:
            each.send_signal(sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.7)
            break
    assert "Traceback" not in printed or launcher != PLAIN
    printed += process.communicate(timeout=60)[0]
    assert process.returncode != 0, printed
    # W&B prints a traceback of its own where its service ended before it; none may go through our code.
    assert not re.search(r'File ".*/(facestudy|stages)/', printed) or launcher != PLAIN


def saved_epochs(path: Path) -> list[Epoch]:
    metadata = checkpoints.describe(path, resume.StateMetadata)[1]
    assert isinstance(metadata, resume.StateMetadata)
    return metadata.epochs


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    monkeypatch.chdir(tmp_path)  # and back at the end, whatever the test's last folder
    return lambda name: tmp_path / name


CONVNEXT_IN_PLACE_OF_VGG16 = {
    "weights.architectures.convnext_tiny": {"rounds": [], "imagenet": "", "file": {"path": None, "sha256": None}},
    **{f"variants.vgg16.{key}": value for key, value in CONVNEXT.items()},
    "variants.vgg16.trainable": ["classifier"],
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variant", "launcher", "sign", "changes"),
    [
        ("resnet18_scratch", PLAIN, signal.SIGKILL, {"training.epoch": "last"}),
        ("vgg16", PLAIN, signal.SIGTERM, {"training.epoch": "best"}),  # on the features of its frozen layers
        ("vgg16", TORCHRUN, signal.SIGKILL, CONVNEXT_IN_PLACE_OF_VGG16),
    ],
    ids=["resnet18", "vgg16", "two processes"],
)
def test_a_killed_training_ends_with_the_same_bytes(
    folders: Callable[[str], Path], variant: str, launcher: list[str], sign: signal.Signals, changes: dict[str, Any]
) -> None:
    prepared(folders("clean"), **changes)
    finished(launcher, variant)
    clean = outputs(variant)
    prepared(folders("killed"), **changes)
    killed(launcher, variant, 2, sign)
    assert not paths.checkpoint(TASK, variant, 0).exists()
    done = len(saved_epochs(paths.resume(TASK, variant, 0)))
    assert done >= 2
    printed = finished(launcher, variant)
    assert f"continuing after epoch {done} of {EPOCHS[variant]}" in printed
    assert printed.count("Train Loss") == EPOCHS[variant] - done
    assert outputs(variant) == clean
    assert not paths.resume(TASK, variant, 0).exists()


@pytest.mark.slow
@pytest.mark.parametrize("share", ["inf", "1e-9"])
def test_wandb_has_each_step_once_after_an_interrupt(folders: Callable[[str], Path], share: str) -> None:
    """Also where the last state is older than the last epoch that was logged: here there is none at all."""
    prepared(folders("study"))
    variant = "resnet18_scratch"
    killed(PLAIN, variant, 2, signal.SIGINT, WANDB_MODE="offline", STUDY_RESUME_SHARE=share)
    assert paths.resume(TASK, variant, 0).exists() == (share == "inf")
    time.sleep(1.1)  # W&B names its folders by the second
    printed = finished(PLAIN, variant, WANDB_MODE="offline", STUDY_RESUME_SHARE=share)
    assert ("continuing after epoch" in printed) == (share == "inf")
    files = list(Path("wandb").glob("offline-run-*/*.wandb"))
    history = [each["history"] for path in files for each in records(path) if each["type"] == "history"]
    assert sorted(row["step"]["num"] for row in history) == list(range(1, EPOCHS[variant] + 1))
    named = [{name.split("/")[0] for name in row["item"]} for row in history]
    assert all({"gradients", "parameters", "val_accuracy"} <= names for names in named)


@pytest.mark.slow
def test_another_training_s_state_is_left_aside(folders: Callable[[str], Path]) -> None:
    prepared(folders("study"))
    killed(PLAIN, "vgg16", 2, signal.SIGKILL)
    params = Path("params.yaml")
    params.write_text(params.read_text().replace("lr: 0.0005", "lr: 0.002"), encoding="utf-8")
    printed = finished(PLAIN, "vgg16")
    assert "has other data, parameters, code, versions or machine" in printed
    assert printed.count("Train Loss") == EPOCHS["vgg16"]
    paths.resume(TASK, "vgg16", 0).write_bytes(b"half a file")
    printed = finished(PLAIN, "vgg16")
    assert "not readable as a safetensors file" in printed and printed.count("Train Loss") == EPOCHS["vgg16"]


class Under:
    """A training of a small network with its history, whose states are saved at `path`."""

    def __init__(self, path: Path, key: str = "this") -> None:
        network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 2))
        self.fabric, self.network, self.data = fabric_for("32-true"), network, (pictures(24, 1), pictures(10, 2))
        self.training = Training(self.fabric, network, recipe())
        self.history = History(Recorder(network, 8), "best", time.perf_counter())
        self.unfinished = resume.Unfinished(path, key)

    def train(self, epochs: int) -> None:
        for epoch in self.training.epochs(*self.data, epochs, 2, 0):
            self.history.add(epoch, self.network)

    def save(self) -> None:
        self.unfinished.save(self.training, self.history)

    def load(self) -> bool:
        return self.unfinished.load(self.training, self.history, self.fabric)


def test_a_state_is_loaded_as_it_was_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDY_RESUME_SHARE", "inf")
    path = tmp_path / "0.safetensors"
    one, two = Under(path), Under(path)
    one.train(2)
    # Values that JSON has no words for.
    one.history.epochs[1] = one.history.epochs[1].model_copy(update={"val_loss": float("inf"), "lr": 0.1 + 0.2})
    one.save()
    assert two.load() and two.training.done == 2
    assert two.history.epochs == one.history.epochs
    assert two.history.saved_epoch == one.history.saved_epoch and two.history.seconds > 0
    for part in ("best", "recorder.tensors", "training.state"):
        had, has = (attrgetter(part)(under if "training" in part else under.history) for under in (one, two))
        had, has = (value() if callable(value) else value for value in (had, has))
        assert had.keys() == has.keys() and all(torch.equal(had[name], has[name]) for name in had), part
    assert not Under(path, "another").load() and not path.exists()


def test_a_state_that_a_kill_cuts_off_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STUDY_RESUME_SHARE", "inf")
    path = tmp_path / "0.safetensors"
    one = Under(path)
    one.train(1)
    one.save()
    before = path.read_bytes()
    # A file system without space for the next state: it ends in the middle, as where the process is killed.
    size = resource.getrlimit(resource.RLIMIT_FSIZE)
    one.train(2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, size[1]))
    with pytest.raises(OSError):
        one.save()
    resource.setrlimit(resource.RLIMIT_FSIZE, size)
    assert path.read_bytes() == before and Under(path).load()
    path.write_bytes(before[:-1])
    assert not Under(path).load()
    assert "not readable as a safetensors file" in capfd.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_a_state_is_saved_where_that_takes_a_small_share_of_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "0.safetensors"
    for share, saved in (("0", False), ("1e-7", False), ("inf", True)):
        monkeypatch.setenv("STUDY_RESUME_SHARE", share)
        under = Under(path)
        under.train(1)
        under.save()
        assert path.exists() == saved, share
    monkeypatch.delenv("STUDY_RESUME_SHARE")
    usual = Under(path)  # 75 kB, which take far less than 2 % of a second
    usual.train(1)
    time.sleep(0.5)
    path.unlink()
    usual.save()
    assert path.exists()
    path.unlink()
    usual.save()  # at once again, which it is too soon for
    assert not path.exists()


def test_two_trainings_of_one_model_do_not_run_at_once(folders: Callable[[str], Path]) -> None:
    folders("state").mkdir()
    fabric, state = fabric_for("32-true"), folders("state") / "0.safetensors"
    with resume.lock(state, fabric):
        refused = pytest.raises(StudyError, match="another training of this model is running")
        with refused, resume.lock(state, fabric):
            pass
    with resume.lock(state, fabric):
        pass


@pytest.mark.parametrize("optimizer", ["adam", pytest.param("adamw", marks=SLOW), pytest.param("sgd", marks=SLOW)])
@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("plain", ["", "views"])  # without views the optimiser's tensors are channels_last, as on a GPU
def test_a_restored_training_takes_the_same_steps(
    optimizer: str, cached: bool, plain: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit by bit, in weights and in the optimiser's tensors, whose order in memory is restored too."""
    monkeypatch.setenv("STUDY_PLAIN", plain)
    fabric, settings = fabric_for("32-true"), recipe(optimizer=optimizer)

    def training() -> tuple[Training, list[Any]]:
        network = networks.build("resnet18", "original", 2, 0, "channels_last")
        data = [pictures(24, 1, True), pictures(10, 2)]
        if not cached:
            return Training(fabric, network, settings), list(data)
        networks.freeze(network, ["layer4", "fc"])
        parts = frozen_features.cut(network)
        assert parts is not None
        return Training(fabric, parts[1], settings), [frozen_features.Features(fabric, parts[0], of) for of in data]

    straight, (train, validation) = training()
    history = list(straight.epochs(train, validation, 3, 2, 0))
    first, (train, validation) = training()
    running = first.epochs(train, validation, 3, 2, 0)
    begun = [next(running), next(running)]
    saved = {name: tensor.clone().contiguous() for name, tensor in first.state().items()}
    second, (train, validation) = training()
    second.restore(saved, 2)
    assert [*begun, *second.epochs(train, validation, 3, 2, 0)] == history
    end, again = straight.state(), second.state()
    assert end.keys() == again.keys() and any(name.startswith("optimizer") for name in end)
    for name, tensor in end.items():
        assert torch.equal(tensor, again[name]) and tensor.stride() == again[name].stride(), name
