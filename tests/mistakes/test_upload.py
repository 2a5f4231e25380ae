"""What STUDY_WANDB_MEDIA=1 sends to W&B, by the stage `mistakes` on the small study of its tests."""

import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import wandb

from facestudy.project import paths
from tests.stages.test_mistakes import RUN_ID, VARIANT, predicted, study  # noqa: F401  (a fixture)
from tests.wandb_server import Artifact, Server

NAMED = ["angry"] * 10 + ["<b>sad"] * 4 + ["happy"] * 16


def of_type(server: Server, kind: str) -> Artifact:
    (artifact,) = [each for each in server.artifacts.values() if each.asked["artifactTypeName"] == kind]
    assert artifact.committed
    return artifact


def assert_arrived(server: Server) -> None:
    """A table of the mistakes with two pictures each, and the model with the hashes of its pictures."""
    run = server.runs[RUN_ID]
    assert [row["_step"] for row in run.history] == [3]
    table = of_type(server, "run_table")
    content = json.loads(table.files["mistakes.table.json"])
    assert content["columns"] == ["file", "truth", "prediction", "probability", "crop", "heat"]
    assert [row[0] for row in content["data"]][:4] == ["13.png", "12.png", "11.png", "10.png"] and len(
        content["data"]
    ) == 14
    for picture in (cell for row in content["data"] for cell in row[4:]):
        assert table.files[picture["path"]].startswith(b"\x89PNG") and picture["width"] == 128
    model = of_type(server, "model")
    assert model.name == f"emotion-{VARIANT}-0" and run.logged.count(model.name) == 1
    checkpoint = paths.checkpoint("emotion", VARIANT, 0)
    assert model.files == {checkpoint.name: checkpoint.read_bytes()}
    metadata = json.loads(model.asked["metadata"])
    prepared = paths.prepared("emotion")
    hashes = {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in prepared.iterdir()}
    assert metadata["pictures"] == hashes and metadata["variant"] == VARIANT


def left_at_home() -> list[Path]:
    """Files of W&B below the home, but for its settings and logs."""
    return [
        path
        for part in (".local", ".cache")
        for path in Path.home().glob(f"{part}/**/artifacts/**/*")
        if path.is_file()
    ]


def test_mistakes_and_the_model_arrive_and_the_page_is_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], wandb_server: Server
) -> None:
    page = predicted(NAMED)
    assert not Path("wandb").exists() and capsys.readouterr().out == ""
    monkeypatch.setenv("STUDY_WANDB_MEDIA", "1")
    assert predicted(NAMED) == page
    printed = capsys.readouterr()
    assert "STUDY_WANDB_MEDIA=1: faces leave this machine" in printed.out and printed.err == ""
    assert_arrived(wandb_server)
    assert left_at_home() == []
    data = of_type(wandb_server, "dataset")
    assert wandb_server.runs[RUN_ID].used == [data.name] == ["emotion-pictures"]
    assert set(data.files) == {"md5.txt"} and b"images.npy" in data.files["md5.txt"]


def test_a_disabled_w_and_b_is_sent_nothing_and_nothing_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], wandb_server: Server
) -> None:
    monkeypatch.setenv("STUDY_WANDB_MEDIA", "1")
    monkeypatch.setenv("WANDB_MODE", "disabled")
    predicted(NAMED)
    assert capsys.readouterr() == ("", "") and wandb_server.asked == []


@pytest.mark.slow  # a command of W&B's more
def test_offline_it_waits_for_wandb_sync(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], wandb_server: Server
) -> None:
    monkeypatch.setenv("STUDY_WANDB_MEDIA", "1")
    monkeypatch.setenv("WANDB_MODE", "offline")
    predicted(NAMED)
    printed = capsys.readouterr()
    assert "at the next `wandb sync`" in printed.out and printed.err == ""
    wandb.teardown()
    monkeypatch.delenv("WANDB_MODE")
    assert left_at_home() == []
    (folder,) = Path("wandb").glob("offline-run-*")
    time.sleep(1)
    command = [str(Path(sys.executable).with_name("wandb")), "sync", str(folder)]
    subprocess.run(command, capture_output=True, check=True, timeout=120)
    assert_arrived(wandb_server)
    assert wandb_server.runs[RUN_ID].used == []
