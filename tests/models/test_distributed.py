"""One training on one process and on two (gloo, CPU): through the train stage, as users start it."""

import os
import socket
import subprocess
import sys
from contextlib import chdir
from pathlib import Path

import pandas as pd
import pytest

from facestudy.errors import StudyError
from facestudy.models import checkpoints, distributed
from facestudy.models.device import fabric_for
from facestudy.models.metadata import WeightsMetadata
from facestudy.project import paths
from tests.inputs import ROOT, pack_noise, write_params
from tests.scheduling.slurm import AVAILABLE, NEEDED, slurm

# Layer normalisation and no dropout, so that the number of processes changes rounding alone. What learns lies below
# frozen blocks, which are in evaluation mode, and the features of the frozen blocks below are computed once.
CONVNEXT = {
    "arch": "convnext_tiny",
    "head": "original",
    "trainable": ["features.6", "classifier"],
    "precision": "32-true",
    "optimizer": "sgd",  # whose steps, unlike Adam's, grow with the gradient
    "lr": 0.001,
    "epochs": {"face": 3, "emotion": 3},
}
VARIANT = "vgg16"  # which becomes the network above
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
PICTURES = 70  # 49 to train, so that one process has a row more than the other in the last batch


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A face task of bright and dark noise, packed and split, and random initial weights."""
    path = tmp_path_factory.mktemp("study")
    architecture = {"rounds": [], "imagenet": "IMAGENET1K_V1", "file": {"path": None, "sha256": None}}
    changes = {f"variants.{VARIANT}.{key}": value for key, value in CONVNEXT.items()}
    write_params(path, {**changes, "weights.architectures.convnext_tiny": architecture})
    with chdir(path):
        pack_noise(PICTURES, train=49)
        for variant in (VARIANT, "resnet18_scratch"):
            metadata = WeightsMetadata(arch=variant, origin="random weights")
            checkpoints.save(paths.initial_weights(variant), {}, metadata)
    return path


@pytest.fixture(scope="module")
def one(folder: Path) -> pd.DataFrame:
    """The history of one process."""
    with chdir(folder):
        return history(trained().stdout)


@pytest.fixture
def study(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def environment(**more: str) -> dict[str, str]:
    # One thread in every process, as torchrun sets it: sums over threads round differently.
    return {**os.environ, "PYTHONPATH": str(ROOT), "WANDB_MODE": "disabled", "OMP_NUM_THREADS": "1", **more}


def trained(launcher: str = "", variant: str = VARIANT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "stages.train", "face", variant, "0"]
    settings = environment(STUDY_LAUNCHER=launcher)
    return subprocess.run(command, env=settings, capture_output=True, text=True, check=False)


def history(printed: str) -> pd.DataFrame:
    """The history; what the stage printed and its log have a line for each epoch and no more."""
    metrics = paths.model_metrics("face", VARIANT, 0)
    assert printed.count("Epoch 3/3") == 1, printed
    assert len((metrics / "epochs.log").read_text().splitlines()) == 3
    return pd.read_csv(metrics / "history.csv")


def assert_same(one: pd.DataFrame, two: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(one, two, rtol=1e-4)
    assert one["train_loss"].iloc[-1] < one["train_loss"].iloc[0]


@pytest.mark.slow
@pytest.mark.usefixtures("study")
def test_two_processes_train_as_one_does(one: pd.DataFrame) -> None:
    assert_same(one, history(trained("torchrun --standalone --nproc-per-node 2").stdout))


@pytest.mark.slow
@pytest.mark.usefixtures("study")
def test_batch_normalisation_over_cpu_processes_is_refused() -> None:
    done = trained("torchrun --standalone --nproc-per-node 2", "resnet18_scratch")
    assert done.returncode != 0 and "batch normalisation over several CPU processes is not supported" in done.stderr
    assert not paths.checkpoint("face", "resnet18_scratch", 0).exists()


@pytest.mark.usefixtures("study")
def test_a_launcher_that_is_not_there_is_named() -> None:
    done = trained("mpirun-of-nowhere -n 2")
    assert done.returncode == 1 and "STUDY_LAUNCHER: mpirun-of-nowhere cannot be started" in done.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("study")
@pytest.mark.skipif(not AVAILABLE, reason=NEEDED)
def test_a_job_of_slurm_with_two_tasks_trains_as_one_process_does(one: pd.DataFrame, tmp_path: Path) -> None:
    stage = f"STUDY_LAUNCHER='srun {sys.executable}' {sys.executable} -m stages.train face {VARIANT} 0"
    command = ["sbatch", "--wait", f"--output={tmp_path / 'log'}", "--nodes=1", "--ntasks-per-node=2", "--wrap", stage]
    with slurm(tmp_path / "slurm") as settings:
        done = subprocess.run(command, env=environment(**settings), capture_output=True, text=True, check=False)
    printed = (tmp_path / "log").read_text()
    assert done.returncode == 0, printed
    assert_same(one, history(printed))


@pytest.mark.slow
@pytest.mark.usefixtures("study")
def test_tasks_of_srun_find_each_other(one: pd.DataFrame) -> None:
    """Two processes with the variables that srun sets for its tasks."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "stages.train", "face", VARIANT, "0"]
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
    printed = [task.communicate(timeout=120)[0] for task in tasks]
    assert [task.returncode for task in tasks] == [0, 0], printed
    assert_same(one, history("".join(printed)))


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
    assert distributed.processes()[:2] == expected
    if expected == (1, 1):
        assert fabric_for("32-true").world_size == 1


def test_srun_without_tasks_per_machine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "4")
    with pytest.raises(StudyError, match="--ntasks-per-node"):
        distributed.processes()
