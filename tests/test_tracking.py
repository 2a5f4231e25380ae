import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import wandb
from numpy.typing import NDArray

from facestudy import tracking
from facestudy.contracts.scores import KeptEpoch, ParameterCounts, Scores, TrainScores
from facestudy.evaluation.scores import score
from tests.wandb_server import Server, serving

VALUES = {"train_loss": 0.5, "train_accuracy": 0.8, "val_loss": 0.6, "val_accuracy": 0.7, "lr": 0.1, "gradient_norm": 2}
CLASSES = ["angry", "happy", "sad"]
TRUTH = np.array([0, 1, 2, 0, 1, 2])


@pytest.fixture(autouse=True)
def forget_the_process_wide_setup() -> Iterator[None]:
    """W&B keeps the folder and mode of a process's first run; a stage is a process of its own."""
    yield
    wandb.teardown()


def records(path: Path) -> list[dict[str, Any]]:
    """What W&B's own reader finds in one offline run."""
    command = [str(Path(sys.executable).with_name("wandb")), "leet", "inspect", "--json", str(path)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [json.loads(line) for line in printed.splitlines() if line.startswith("{")]


def scored(probabilities: NDArray[np.float64]) -> Scores:
    return Scores(
        **score(TRUTH, probabilities, CLASSES, None).model_dump(),
        reason=None, task="face", variant="tiny", seed=0, classes=CLASSES, positive=None, pictures=len(TRUTH),
        epoch=KeptEpoch(kept=2, rule="last"), weights="random weights", generalization_gap=0.1,
        epochs_to={"final": 1}, parameters=ParameterCounts(trainable=1, total=1),
        train=TrainScores(accuracy=0.8, loss=0.5), settings={},
    )  # fmt: skip


def train_and_evaluate(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    run = tracking.Run("face-tiny-0-abc", "face", "tiny", {"lr": 0.1}, "train")
    pair = (torch.tensor([1.0, 3.0]), torch.tensor([0.0, 0.5, 1.0]))
    named = {"gradients/fc.weight": pair, "parameters/fc.weight": pair}
    for epoch in (1, 2):
        run.epoch(epoch, {"epoch": epoch, **VALUES}, named)
    run.close()
    probabilities = np.eye(3)[[0, 1, 2, 1, 1, 2]] * 0.7 + 0.1
    scores = scored(probabilities)
    names = np.array(CLASSES)
    predictions = pd.DataFrame({"truth": names[TRUTH], "prediction": names[probabilities.argmax(axis=1)]})
    time.sleep(1.1)  # W&B names its folders by the second
    again = tracking.Run("face-tiny-0-abc", "face", "tiny", {}, "evaluate")
    again.scores(3, scores, pd.DataFrame([{"epoch": epoch, **VALUES} for epoch in (1, 2)]), predictions)
    again.close()


def test_a_stage_that_runs_again_replaces_its_own_offline_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    for _ in range(2):
        train_and_evaluate(tmp_path, monkeypatch)
        time.sleep(1.1)
        wandb.teardown()
    other = tracking.Run("face-tiny-0-abd", "face", "tiny", {}, "train")
    other.close()
    found = [record for path in tmp_path.glob("wandb/offline-run-*-abc/*.wandb") for record in records(path)]
    steps = [record["history"]["step"]["num"] for record in found if record["type"] == "history"]
    assert sorted(steps) == [1, 2, 3]
    assert len(list(tmp_path.glob("wandb/offline-run-*"))) == 3


def test_offline_files_hold_the_whole_run_and_no_step_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("DVC_EXP_NAME", "bold-gull")  # as DVC sets it in a stage of an experiment
    train_and_evaluate(tmp_path, monkeypatch)
    assert "continuing without it" not in capsys.readouterr().err
    files = sorted(tmp_path.glob("wandb/offline-run-*/*.wandb"))
    found = [record for path in files for record in records(path)]
    runs = [record["run"] for record in found if record["type"] == "run"]
    assert len(runs) == 2 and {run["run_id"] for run in runs} == {"face-tiny-0-abc"}
    assert runs[0]["config"]["update"]["lr"] == 0.1
    assert sorted((run["run_group"], run["job_type"]) for run in runs) == [
        ("bold-gull", "evaluate"),
        ("bold-gull", "train"),
    ]
    history = [record["history"] for record in found if record["type"] == "history"]
    assert sorted(row["step"]["num"] for row in history) == [1, 2, 3]
    epochs = sorted((row["item"] for row in history if "epoch" in row["item"]), key=lambda item: item["epoch"])
    assert [epoch["epoch"] for epoch in epochs] == [1, 2]
    for epoch in epochs:
        assert {name: epoch[name] for name in VALUES} == VALUES
        assert epoch["gradients/fc.weight.values"] == [1, 3] and epoch["parameters/fc.weight.bins"] == [0, 0.5, 1]
    last = json.dumps([record["summary"] for record in found if record["type"] == "summary"])
    assert '"final/accuracy": 0.8333' in last and "final/macro_f1" in last
    tables = {path.name.split("_")[0] for path in tmp_path.glob("wandb/offline-run-*/files/media/table/*.json")}
    for name in ("confusion_matrix", "confusion_matrix_zscore", "classification_report", "curves_loss"):
        assert list(tmp_path.glob(f"wandb/offline-run-*/files/media/table/{name}*")), (name, tables)


def test_without_a_key_it_runs_offline_and_says_how_to_upload(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("WANDB_MODE", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    train_and_evaluate(tmp_path, monkeypatch)
    assert "wandb sync wandb/offline-run-" in capsys.readouterr().out
    assert list(tmp_path.glob("wandb/offline-run-*"))


def logged_steps(folder: Path) -> list[int]:
    """Steps in all offline files below a folder."""
    found = [record for path in folder.glob("wandb/offline-run-*/*.wandb") for record in records(path)]
    return sorted(record["history"]["step"]["num"] for record in found if record["type"] == "history")


@pytest.mark.usefixtures("a_key")
@pytest.mark.parametrize("silent", [False, True], ids=["closed port", "silent server"])
def test_a_key_without_a_network_runs_offline_within_seconds_with_all_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], silent: bool
) -> None:
    monkeypatch.setattr(tracking, "PATIENCE", 1)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if silent:
            server.listen()
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        train_and_evaluate(tmp_path, monkeypatch)
    assert list(tmp_path.glob("wandb/run-*")) == []  # W&B itself did not try, and wait for half a minute
    printed = capsys.readouterr()
    assert "this run stays offline" in printed.err and "wandb sync wandb/offline-run-" in printed.out
    assert logged_steps(tmp_path) == [1, 2, 3]


@pytest.mark.usefixtures("a_key")
@pytest.mark.parametrize("file", [".config/wandb/settings", "wandb/settings"])
def test_what_the_settings_files_of_wandb_say_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text("[default]\nmode = disabled\n")  # as `wandb disabled` writes it
    train_and_evaluate(tmp_path, monkeypatch)
    assert list(tmp_path.glob("wandb/*run-*")) == []


def test_an_uploaded_run_that_is_made_again_is_not_uploaded_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], wandb_server: Server
) -> None:
    monkeypatch.chdir(tmp_path)
    for said in ("upload with: wandb sync", "delete the run at W&B"):
        monkeypatch.setenv("WANDB_MODE", "offline")
        run = tracking.Run("face-tiny-0-abc", "face", "tiny", {}, "train")
        for epoch in (1, 2):
            run.epoch(epoch, VALUES, {})
        run.close()
        wandb.teardown()
        assert said in capsys.readouterr().out
        (folder,) = tmp_path.glob("wandb/offline-run-*")
        monkeypatch.delenv("WANDB_MODE")
        command = [str(Path(sys.executable).with_name("wandb")), "sync", str(folder)]
        subprocess.run(command, capture_output=True, check=True, timeout=120)
        assert wandb_server.steps == [1, 2]
        time.sleep(1.1)


@pytest.mark.parametrize("gpu", [False, True], ids=["no GPU", "GPU"])
def test_what_w_and_b_gets_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wandb_server: Server, gpu: bool
) -> None:
    """With a GPU its load and memory, of which W&B's monitor finds what there is; never a name, path or package."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(tracking, "SAMPLED", 0.1)
    for stage in ("train", "evaluate"):
        run = tracking.Run(f"face-tiny-0-{stage}", "face", "tiny", {}, stage)
        run.epoch(1, VALUES, {})
        time.sleep(gpu * 0.5)
        run.close()
    trained, evaluated = wandb_server.runs["face-tiny-0-train"], wandb_server.runs["face-tiny-0-evaluate"]
    assert any(name.startswith("system.") for row in trained.events for name in row) == gpu
    assert evaluated.events == [] and wandb_server.steps == [1, 1]
    assert [path.name for path in tmp_path.rglob("requirements*.txt")] == []
    assert trained.settings["program"] == "stages.train" and "host" not in trained.settings
    received = json.dumps([trained.settings, trained.config, *trained.events]) + repr(trained.files)
    assert str(tmp_path) not in received and str(Path(sys.executable).parent) not in received
    assert socket.gethostname() not in received.replace("stages.", "")


@pytest.mark.parametrize("path", ["/", "/graphql"])
def test_a_server_that_fails_is_no_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], wandb_server: Server, path: str
) -> None:
    """At once where it is down as a whole; else once the start of a run took too long."""
    monkeypatch.setattr(tracking, "START", 60 if path == "/" else 1)
    wandb_server.refuses = path
    began = time.monotonic()
    train_and_evaluate(tmp_path, monkeypatch)
    printed = capsys.readouterr()
    assert printed.err.count("this run stays offline") == 2 and "continuing without it" not in printed.err
    assert time.monotonic() - began < 60 and logged_steps(tmp_path) == [1, 2, 3]


@pytest.mark.usefixtures("a_key")
def test_a_network_that_goes_away_ends_in_a_message_with_all_steps_in_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tracking, "LAST_UPLOAD", 2)
    with serving() as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        run = tracking.Run("face-tiny-0-abc", "face", "tiny", {}, "train")
        run.epoch(1, VALUES, {})
    run.epoch(2, VALUES, {})
    run.close()
    assert "wandb sync --include-online wandb/run-" in capsys.readouterr().err
    found = [record for path in tmp_path.glob("wandb/run-*/*.wandb") for record in records(path)]
    assert [record["history"]["step"]["num"] for record in found if record["type"] == "history"] == [1, 2]


def test_a_failing_wandb_gives_a_message_and_does_not_fail_the_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_MODE", "no such mode")
    train_and_evaluate(tmp_path, monkeypatch)
    assert "continuing without it" in capsys.readouterr().err


def test_the_run_id_depends_on_what_decides_the_result() -> None:
    first = tracking.run_id("face", "vgg16", 0, "settings", ["hash"])
    assert first == tracking.run_id("face", "vgg16", 0, "settings", ["hash"])
    assert first.startswith("face-vgg16-0-")
    assert first != tracking.run_id("face", "vgg16", 0, "settings", ["other"])
