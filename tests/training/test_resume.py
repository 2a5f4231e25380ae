"""A training that is killed goes on where it was, and ends with the bytes of one that never was."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from stages import paths
from stages.errors import StudyError
from stages.training import checkpoints, networks, resume, trunk
from stages.training.loop import Training, fabric_for
from tests.photos import pack_noise, write_params
from tests.training.test_loop import pictures, recipe
from tests.training.test_parallel import TORCHRUN, environment
from tests.training.test_tracking import records

TASK = "face"
EPOCHS = {"resnet18_scratch": 6, "vgg16": 40}  # enough to be in the middle for a while
PLAIN = [sys.executable]


def outputs(variant: str) -> dict[str, bytes]:
    metrics = paths.model_metrics(TASK, variant, 0)
    files = [paths.checkpoint(TASK, variant, 0), paths.histograms(TASK, variant, 0)]
    return {path.name: path.read_bytes() for path in [*files, metrics / "history.csv", metrics / "epochs.log"]}


def prepared(folder: Path, **changes: Any) -> None:
    """A face task of noise in a folder, in which the test then stands."""
    folder.mkdir()
    os.chdir(folder)
    epochs = {f"variants.{variant}.epochs.face": number for variant, number in EPOCHS.items()}
    write_params(folder, epochs | changes)
    pack_noise(70, train=49)
    for variant in EPOCHS:
        checkpoints.save(paths.start(variant), {}, {"origin": "random weights"})


def started(launcher: list[str], variant: str, **more: str) -> "subprocess.Popen[str]":
    command = [*launcher, "-m", "stages.train", TASK, variant, "0"]
    settings = environment(PYTHONUNBUFFERED="1", **more)
    return subprocess.Popen(
        command, env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def finished(launcher: list[str], variant: str, **more: str) -> str:
    process = started(launcher, variant, **more)
    told = process.communicate(timeout=120)[0]
    assert process.returncode == 0, told
    return told


def killed(launcher: list[str], variant: str, after: int, sign: signal.Signals, **more: str) -> None:
    """Train until so many epochs are told, and end the training with all its processes."""
    process = started(launcher, variant, **more)
    assert process.stdout is not None
    told = ""
    for line in process.stdout:
        told += line
        if f"Epoch {after}/{EPOCHS[variant]}" in line:
            break
    for _ in range(4):  # an interrupt that falls into a callback is lost: Python ignores what is raised there
        for each in [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]:
            each.send_signal(sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.7)
            break
    process.communicate(timeout=60)
    assert process.returncode != 0, told
    assert "Traceback" not in told or launcher != PLAIN


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    monkeypatch.chdir(tmp_path)  # and back at the end, wherever the test went
    return lambda name: tmp_path / name


@pytest.mark.parametrize(
    ("variant", "launcher", "sign", "rule"),
    [
        ("resnet18_scratch", PLAIN, signal.SIGKILL, "last"),
        ("vgg16", PLAIN, signal.SIGTERM, "best"),  # on the features of its frozen layers
        ("vgg16", TORCHRUN, signal.SIGKILL, "last"),
    ],
)
def test_a_killed_training_ends_with_the_same_bytes(
    folders: Callable[[str], Path], variant: str, launcher: list[str], sign: signal.Signals, rule: str
) -> None:
    prepared(folders("clean"), **{"training.epoch": rule})
    finished(launcher, variant)
    clean = outputs(variant)
    prepared(folders("killed"), **{"training.epoch": rule})
    killed(launcher, variant, 2, sign)
    assert not paths.checkpoint(TASK, variant, 0).exists()
    kept = checkpoints.describe(paths.resume(TASK, variant, 0))[1]["epoch"]
    assert kept >= 2
    told = finished(launcher, variant)
    assert f"going on after epoch {kept} of {EPOCHS[variant]}" in told
    assert told.count("Train Loss") == EPOCHS[variant] - kept
    assert outputs(variant) == clean
    assert not paths.resume(TASK, variant, 0).exists()


def test_an_interrupted_training_says_so_and_wandb_has_each_step_once(folders: Callable[[str], Path]) -> None:
    prepared(folders("study"))
    variant = "resnet18_scratch"
    killed(PLAIN, variant, 2, signal.SIGINT, WANDB_MODE="offline")
    time.sleep(1.1)  # W&B names its folders by the second
    told = finished(PLAIN, variant, WANDB_MODE="offline")
    assert "going on after epoch" in told
    files = list(Path("wandb").glob("offline-run-*/*.wandb"))
    found = [record for path in files for record in records(path)]
    history = [record["history"] for record in found if record["type"] == "history"]
    assert sorted(row["step"]["num"] for row in history) == list(range(1, EPOCHS[variant] + 1))
    named = [{name.split("/")[0] for name in row["item"]} for row in history]
    assert all({"gradients", "parameters", "val_accuracy"} <= names for names in named)


def test_another_training_s_state_is_left_aside(folders: Callable[[str], Path]) -> None:
    prepared(folders("study"))
    killed(PLAIN, "vgg16", 2, signal.SIGKILL)
    params = Path("params.yaml")
    params.write_text(params.read_text().replace("lr: 0.003", "lr: 0.002"), encoding="utf-8")
    told = finished(PLAIN, "vgg16")
    assert "has other data, parameters, code, versions or machine" in told
    assert told.count("Train Loss") == EPOCHS["vgg16"]
    paths.resume(TASK, "vgg16", 0).write_bytes(b"half a file")
    told = finished(PLAIN, "vgg16")
    assert "not readable as a safetensors file" in told and told.count("Train Loss") == EPOCHS["vgg16"]


def test_a_state_cut_off_leaves_the_one_before(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    fabric, path = fabric_for("32-true"), tmp_path / "0.safetensors"
    states = {
        epoch: {
            "weights": torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last),
            "rows": torch.ones(epoch, 2, dtype=torch.int64),  # as histograms, more with each epoch
            "step": torch.tensor(float(epoch)),
            "half": torch.randn(3).bfloat16(),
            "none": torch.zeros(0, 4),
        }
        for epoch in (1, 2, 3)
    }
    for epoch in (1, 2):
        resume.keep(path, "this", states[epoch], {"epoch": epoch})
    first, second = sorted(set(tmp_path.iterdir()) - {path}, key=lambda file: file.stat().st_size)
    first.write_bytes(b"the third, cut off")
    found = resume.left_off(path, "this", fabric)
    assert found is not None and found[1]["epoch"] == 2
    assert found[0].keys() == states[2].keys()
    for name, tensor in states[2].items():
        assert found[0][name].dtype == tensor.dtype and torch.equal(found[0][name], tensor), name
    resume.keep(path, "this", states[3], {"epoch": 3})
    found = resume.left_off(path, "this", fabric)
    assert found is not None and torch.equal(found[0]["rows"], states[3]["rows"])

    resume.keep(path, "this", states[2], {"epoch": 2})
    second.write_bytes(second.read_bytes()[:-1])
    assert resume.left_off(path, "this", fabric) is None
    assert "not readable as the state of a training" in capfd.readouterr().out
    assert list(tmp_path.iterdir()) == []  # so that no later state is mistaken for it


def test_two_trainings_of_one_model_do_not_run_at_once(folders: Callable[[str], Path]) -> None:
    folders("state").mkdir()
    fabric, state = fabric_for("32-true"), folders("state") / "0.safetensors"
    with resume.alone(state, fabric):
        refused = pytest.raises(StudyError, match="another training of this model is under way")
        with refused, resume.alone(state, fabric):
            pass
    with resume.alone(state, fabric):
        pass


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("cached", [False, True])
def test_a_restored_training_takes_the_same_steps(optimizer: str, cached: bool) -> None:
    """Bit by bit, in weights and in the optimiser's memory, whatever the order of values in memory."""
    fabric, settings = fabric_for("32-true"), recipe(optimizer=optimizer)

    def training() -> tuple[Training, list[Any]]:
        network = networks.build("resnet18", "original", 2, 0, "channels_last")
        data = [pictures(24, 1, True), pictures(10, 2)]
        if not cached:
            return Training(fabric, network, settings), list(data)
        networks.freeze(network, ["layer4", "fc"])
        parts = trunk.cut(network)
        assert parts is not None
        return Training(fabric, parts[1], settings), [trunk.Features(fabric, parts[0], of) for of in data]

    straight, (train, validation) = training()
    history = list(straight.epochs(train, validation, 3, 2, 0))
    first, (train, validation) = training()
    running = first.epochs(train, validation, 3, 2, 0)
    begun = [next(running), next(running)]
    kept = {name: tensor.clone().contiguous() for name, tensor in first.state().items()}
    second, (train, validation) = training()
    second.restore(kept, 2)
    assert [*begun, *second.epochs(train, validation, 3, 2, 0)] == history
    end, again = straight.state(), second.state()
    assert end.keys() == again.keys() and any(name.startswith("optimizer") for name in end)
    for name, tensor in end.items():
        assert torch.equal(tensor, again[name]), name
