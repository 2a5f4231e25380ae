"""One training on one process and on two (gloo, CPU): through the train stage, as users start it."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from stages import paths
from stages.errors import StudyError
from stages.training import checkpoints, parallel
from stages.training.loop import fabric_for
from tests.photos import ROOT, pack_noise, write_params

CHANGES = {f"variants.{variant}.precision": "32-true" for variant in ("vgg16", "resnet18_scratch")} | {
    f"variants.{variant}.epochs.face": 3 for variant in ("vgg16", "resnet18_scratch")
}
PICTURES = 70  # 49 to train, so that one process has a row more than the other in the last batch


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A face task of bright and dark noise, packed and split, and random starting weights."""
    monkeypatch.chdir(tmp_path)
    write_params(tmp_path, CHANGES)
    pack_noise(PICTURES, train=49)
    for variant in ("vgg16", "resnet18_scratch"):
        checkpoints.save(paths.start(variant), {}, {"origin": "random weights"})
    return tmp_path


def environment(**more: str) -> dict[str, str]:
    # One thread in every process, as torchrun sets it: sums over threads round differently.
    return {**os.environ, "PYTHONPATH": str(ROOT), "WANDB_MODE": "disabled", "OMP_NUM_THREADS": "1", **more}


def history(launcher: list[str], variant: str) -> pd.DataFrame:
    command = [*launcher, "-m", "stages.train", "face", variant, "0"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return written(variant, done.stdout)


def written(variant: str, told: str) -> pd.DataFrame:
    """The history; what the stage told and its log have a line for each epoch and no more."""
    metrics = paths.model_metrics("face", variant, 0)
    assert told.count("Epoch 3/3") == 1
    assert len((metrics / "epochs.log").read_text().splitlines()) == 3
    return pd.read_csv(metrics / "history.csv")


TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


@pytest.mark.usefixtures("study")
@pytest.mark.parametrize(("variant", "bound"), [("vgg16", 1e-4), ("resnet18_scratch", 2e-3)])
def test_two_processes_train_as_one_does(variant: str, bound: float) -> None:
    """ResNet18's rounding grows from step to step: each layer normalises by few values, and Adam's first steps
    divide small gradients by themselves. The differences are printed (pytest -s).
    """
    one, two = history([sys.executable], variant), history(TORCHRUN, variant)
    difference = (one - two).abs().max()
    print(variant, difference.to_dict())
    assert difference[["train_loss", "val_loss"]].max() < bound
    assert difference[["train_accuracy", "val_accuracy"]].max() == 0
    assert one["train_loss"].iloc[-1] < one["train_loss"].iloc[0]


@pytest.mark.usefixtures("study")
def test_tasks_of_srun_find_each_other() -> None:
    """Two processes with the variables that srun sets for its tasks."""
    one = history([sys.executable], "vgg16")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "stages.train", "face", "vgg16", "0"]
    tasks = []
    for rank in range(2):
        slurm = {
            "JOB_ID": "7", "JOB_NAME": "train", "NTASKS": "2", "NTASKS_PER_NODE": "2", "NNODES": "1",
            "STEP_NUM_TASKS": "2", "STEP_NUM_NODES": "1", "NODELIST": "127.0.0.1", "NODEID": "0",
            "PROCID": str(rank), "LOCALID": str(rank),
        }  # fmt: skip
        settings = environment(MASTER_PORT=str(port), **{f"SLURM_{name}": value for name, value in slurm.items()})
        tasks.append(
            subprocess.Popen(command, env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        )
    told = [task.communicate(timeout=120)[0] for task in tasks]
    assert [task.returncode for task in tasks] == [0, 0], told
    two = written("vgg16", "".join(told))
    assert (one["train_loss"] - two["train_loss"]).abs().max() < 1e-4


@pytest.mark.parametrize(
    ("slurm", "expected"),
    [
        ({}, (1, 1)),
        ({"NTASKS": "4", "NTASKS_PER_NODE": "4"}, (1, 1)),  # a script under sbatch that calls no srun
        ({"NTASKS": "8", "NTASKS_PER_NODE": "4", "STEP_NUM_TASKS": "8", "STEP_NUM_NODES": "2"}, (4, 2)),
    ],
)
def test_processes_are_those_of_the_step(
    slurm: dict[str, str], expected: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"JOB_ID": "7", "JOB_NAME": "study", **slurm}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    assert parallel.processes()[:2] == expected
    if expected == (1, 1):
        assert fabric_for("32-true").world_size == 1


def test_srun_without_tasks_per_machine_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "4")
    with pytest.raises(StudyError, match="--ntasks-per-node"):
        parallel.processes()
