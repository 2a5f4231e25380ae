"""A model's run at W&B's server (tests/wandb_server.py), and the recipes of docs/experiments.md for W&B."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest
import yaml
from dvc.cli.parser import get_main_parser
from dvc.utils.cli_parse import to_path_overrides
from dvc.utils.hydra import apply_overrides
from wandb.sdk.launch.sweeps.utils import create_sweep_command_args

from facestudy import tracking
from facestudy.contracts.scores import Scores
from facestudy.csv_writer import write_csv
from facestudy.models import checkpoints
from facestudy.models.metadata import WeightsMetadata
from facestudy.project import paths
from facestudy.project.files import read_json
from stages.evaluate import evaluate
from stages.train import train
from tests.clone import ROOT, copy_study
from tests.inputs import pack_noise, write_params
from tests.test_experiments import python_block
from tests.training.test_resume import PLAIN, finished, started
from tests.wandb_server import Run, Server

VARIANT = "resnet18_scratch"
MODEL = ("face", VARIANT, 0)
BIN = Path(sys.executable).parent
LR = f"variants.{VARIANT}.lr"


def prepared(folder: Path, epochs: int = 2) -> None:
    """A face task of noise in a folder that becomes the current one."""
    folder.mkdir()
    os.chdir(folder)
    write_params(folder, {f"variants.{VARIANT}.epochs.face": epochs, "challenges.strengths": [5]})
    pack_noise(40, train=28)
    write_csv(paths.RAW / "index.csv", pd.DataFrame({"file": [f"{number}.png" for number in range(40)], "person": ""}))
    checkpoints.save(paths.initial_weights(VARIANT), {}, WeightsMetadata(arch="resnet18", origin="random weights"))


@pytest.fixture(autouse=True)
def back_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def assert_each_number_once(run: Run) -> None:
    """Each row of history.csv arrived, with all its columns, and no row twice."""
    history = pd.read_csv(paths.model_metrics(*MODEL) / "history.csv")
    arrived = pd.DataFrame([row for row in run.history if "epoch" in row])
    pd.testing.assert_frame_equal(arrived[list(history)], history, check_dtype=False, check_exact=True)
    assert arrived["_step"].tolist() == history["epoch"].tolist()
    assert arrived.columns.str.startswith("gradients/").any()


def test_every_number_of_history_arrives_once_and_is_read_back(tmp_path: Path, wandb_server: Server) -> None:
    prepared(tmp_path / "study")
    train(*MODEL)
    evaluate(*MODEL)
    (run,) = wandb_server.runs.values()
    assert_each_number_once(run)
    assert [row["_step"] for row in run.history] == [1, 2, 3]
    scores = read_json(paths.model_metrics(*MODEL) / "scores.json", Scores)
    numbers = {f"final/{name}": value for name, value in scores if isinstance(value, int | float)}
    assert run.summary.items() >= numbers.items() and len(numbers) > 5
    assert run.config["recipe"]["value"]["lr"] == scores.settings["lr"]
    command = [sys.executable, "-c", python_block("Read runs from W&B in Python")]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    name, accuracy, _ = printed.split(maxsplit=2)
    assert name == run.name and float(accuracy) == scores.accuracy
    history = pd.read_csv(paths.model_metrics(*MODEL) / "history.csv")
    read = [float(value) for value in re.findall(r"(\S+)$", printed, flags=re.MULTILINE)[:2]]
    assert read == pytest.approx(history["val_accuracy"].tolist())


@pytest.mark.slow  # two trainings in processes of their own
def test_a_killed_training_goes_on_in_the_same_run(tmp_path: Path, wandb_server: Server) -> None:
    prepared(tmp_path / "study", epochs=60)
    key = {name: os.environ[name] for name in ("WANDB_BASE_URL", "WANDB_API_KEY")} | {"WANDB_MODE": "online"}
    process = started(PLAIN, VARIANT, **key, WANDB__FILE_STREAM_TRANSMIT_INTERVAL="0.1")
    while not wandb_server.steps:
        assert process.poll() is None
        time.sleep(0.01)
    for each in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
        each.kill()
    process.communicate(timeout=60)
    assert 0 < len(wandb_server.steps) < 60
    assert "continuing after epoch" in finished(PLAIN, VARIANT, **key, STUDY_RESUME_SHARE="0")
    (run,) = wandb_server.runs.values()
    assert_each_number_once(run)


@pytest.mark.slow  # W&B's own client waits 19 seconds for an answer
def test_a_server_that_fails_in_the_middle_changes_no_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wandb_server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tracking, "LAST_UPLOAD", 2)

    def fail_once_a_run_is_begun(runs: int) -> None:
        while len(wandb_server.began) < runs:
            time.sleep(0.01)
        wandb_server.refuses = "/"

    prepared(tmp_path / "study")
    began = time.monotonic()
    for number, stage in enumerate((train, evaluate), 1):
        wandb_server.refuses = ""
        watching = threading.Thread(target=fail_once_a_run_is_begun, args=[number])
        watching.start()
        stage(*MODEL)
        watching.join()
    assert time.monotonic() - began < 120
    assert "W&B did not take all within 2 seconds" in capsys.readouterr().err
    files = [path for path in Path().rglob("*") if path.is_file() and path.parts[0] in ("data", "metrics")]
    contents = {path: path.read_bytes() for path in files}
    monkeypatch.setenv("WANDB_MODE", "disabled")
    prepared(tmp_path / "without")
    train(*MODEL)
    evaluate(*MODEL)
    assert {path: path.read_bytes() for path in contents} == contents


def sweep_file() -> dict[str, list[str]]:
    config: dict[str, list[str]] = yaml.safe_load((ROOT / "docs" / "sweep.yaml").read_text(encoding="utf-8"))
    return config


def test_the_sweep_is_one_to_w_and_b_and_its_commands_are_of_dvc(tmp_path: Path, wandb_server: Server) -> None:
    """The commands that an agent would run, by a `dvc` that shows what it was given."""
    command = [str(BIN / "wandb"), "sweep", "--project", "face-classifier-study", str(ROOT / "docs" / "sweep.yaml")]
    environment = {name: value for name, value in os.environ.items() if name != "WANDB_SILENT"}  # as a stage sets it
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "wandb agent me/face-classifier-study/sweep0" in done.stderr
    (sweep,) = wandb_server.sweeps.values()
    received = yaml.safe_load(sweep["config"])
    assert received.items() >= {name: value for name, value in sweep_file().items() if name != "parameters"}.items()
    (tmp_path / "dvc").write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n", encoding="utf-8")
    (tmp_path / "dvc").chmod(0o755)
    parameters = {LR: 3e-05, "seeds": [1], f"variants.{VARIANT}.title": "a b"}
    given = create_sweep_command_args({"args": {name: {"value": value} for name, value in parameters.items()}})
    command = []
    for part in received["command"]:
        command += given[part[2:-1]] if part.startswith("${") else [part]
    agent = subprocess.run(
        command, env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}, capture_output=True, text=True, check=True
    )
    arguments = get_main_parser().parse_args(agent.stdout.splitlines())
    assert arguments.targets == [f"evaluate@face-{VARIANT}-0"] and len(arguments.set_param) == len(parameters)
    shutil.copyfile(ROOT / "params.yaml", tmp_path / "params.yaml")
    for path, overrides in to_path_overrides(arguments.set_param).items():
        apply_overrides(tmp_path / path, overrides)
    changed = yaml.safe_load((tmp_path / "params.yaml").read_text(encoding="utf-8"))
    assert float(changed["variants"][VARIANT]["lr"]) == 3e-05 and changed["seeds"] == [1]
    assert changed["variants"][VARIANT]["title"] == "a b"
    assert list(sweep_file()["parameters"]) == [LR]


@pytest.mark.slow  # trains under `dvc exp run`
def test_an_agent_runs_experiments_whose_numbers_arrive_in_its_sweep(
    finished_study: Path, tmp_path: Path, wandb_server: Server
) -> None:
    study = copy_study(finished_study, tmp_path / "study")
    wandb_server.sweeps["SWEEP"] = {"config": (study / "docs" / "sweep.yaml").read_text(encoding="utf-8")}
    wandb_server.commands.append({"type": "run", "run_id": "try1", "program": None, "args": {LR: {"value": 0.003}}})
    text = (ROOT / "docs" / "experiments.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^wandb agent .*$", text, flags=re.MULTILINE)
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "PYTHONPATH": str(study)}
    done = subprocess.run(
        [*line.split(), "--count", "1"], cwd=study, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    run = wandb_server.runs["try1"]
    assert [row["_step"] for row in run.history] == [1, 2, 3], done.stdout + done.stderr
    assert run.settings["sweep"] == "SWEEP" and run.config["recipe"]["value"]["lr"] == 0.003
    scores = json.loads((study / paths.model_metrics(*MODEL) / "scores.json").read_text(encoding="utf-8"))
    assert run.summary["final/accuracy"] == scores["accuracy"]
    assert yaml.safe_load((study / "params.yaml").read_text(encoding="utf-8"))["variants"][VARIANT]["lr"] == 0.003
