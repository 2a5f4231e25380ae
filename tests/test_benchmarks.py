"""What `make bench` stands on: our side's answers, and the page made of what was measured."""

import subprocess
import sys
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest

from benchmarks import bench, scale, whole_run
from benchmarks.machine import Process, description, spread
from facestudy.project.files import write_json
from tests.inputs import ROOT, pack_noise, write_params
from tests.scheduling.toy import dvc, toy


@pytest.mark.slow
@pytest.mark.parametrize(("variant", "words"), [("resnet18_scratch", "bare epoch memory"), ("vgg16", "views training")])
def test_our_side_answers_every_word(variant: str, words: str, tmp_path: Path) -> None:
    write_params(tmp_path, {"variants.vgg16.head": "pooled"})  # 32 pixels leave one cell of features
    with chdir(tmp_path):
        pack_noise(20, train=14)
    command = [sys.executable, "-m", "benchmarks.ours", variant, "batch_size=8", "precision=32-true"]
    process = Process(command, tmp_path, PYTHONPATH=str(ROOT), WANDB_MODE="disabled")
    for word in words.split():
        answer = process.ask(word)
        assert answer["pictures"] == 14 and answer["seconds"] > 0
        assert (answer["memory"] is not None) == (word == "memory")
    process.stop()


def test_the_page_holds_what_was_measured(tmp_path: Path) -> None:
    ratio = spread([1.25, 1.5, 1.0])
    pair = {
        "size": 64,
        "precision": "auto",
        "against": "plain",
        "workers": "2",
        "ratio": ratio,
        "ours": 9.0,
        "theirs": 7.2,
    }
    rows = [pair | {"against": "forward passes", "workers": None}, pair]
    with chdir(tmp_path):
        write_json(bench.FOLDER / "frozen.json", {"machine": description(), "minutes": 2.0, "rows": rows})
        bench.write()
        page = bench.PAGE.read_text(encoding="utf-8")
    assert "| 64 | auto | plain, 2 loader workers | **1.25** (1.00 to 1.50) | 9.0 | 7.2 |" in page
    assert "## VGG16, frozen" in page and "## The whole run" not in page


@pytest.mark.slow
def test_the_pipeline_is_measured_stage_by_stage_at_two_sizes(tmp_path: Path) -> None:
    rows = scale.measure((60, 120))
    assert [row["pictures"] for row in rows] == [60, 120]
    for row in rows:
        stages = {stage["stage"]: stage for stage in row["stages"]}
        assert set(stages) >= {"download", "leaks", "preprocess", "train", "evaluate", "report"}
        assert all(stage["seconds"] > 0.2 and stage["memory"] > 1e7 for stage in stages.values())
        assert row["seconds"] > sum(stage["seconds"] for stage in stages.values())
    with chdir(tmp_path):
        write_json(bench.FOLDER / "scale.json", {"machine": description(), "minutes": 2.0, "rows": rows})
        bench.write()
        page = bench.PAGE.read_text(encoding="utf-8")
    assert "| stage | 60, s | 120, s | ms a picture | growth | memory, MB |" in page and "| train | " in page


def recorded(folder: Path, stages: dict[str, dict[str, Any]], code: dict[str, str]) -> Path:
    """A repository of stages that ran, whose results are in Git as far as the study's are."""
    study = toy(folder, stages)
    for stage, text in code.items():
        (study / "stages" / f"{stage}.py").write_text(text, encoding="utf-8")
    (study / "metrics").mkdir()
    (study / "metrics" / "scores.json").write_text("{}", encoding="utf-8")
    dvc(study, "repro")
    for command in ("git add -A", "git -c user.name=test -c user.email=test@localhost commit -qm recorded"):
        subprocess.run(command.split(), cwd=study, check=True)
    return study


@pytest.mark.slow
def test_each_way_runs_every_stage_and_other_bytes_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The first output is in Git, as metrics are: with its dvc.lock, a clone would not make it anew.
    outputs = {"train": {"weights": {"cache": False}}, "export": "model"}
    stages: dict[str, dict[str, Any]] = {
        name: {"cmd": f"python -m stages.{name}", "outs": [out]} for name, out in outputs.items()
    }
    code = {"train": "open('weights', 'w').write('1')", "export": "import os; open('model', 'wb').write(os.urandom(9))"}
    stages["export"]["deps"] = ["weights"]
    monkeypatch.setattr(whole_run, "ROOT", recorded(tmp_path / "study", stages, code))
    ways = {"dvc repro": (["dvc", "repro"], "HEAD"), "facestudy run": (whole_run.RUN, "HEAD")}
    monkeypatch.setattr(whole_run, "WAYS", ways)
    rows = whole_run.ways()
    assert [row["stages"] for row in rows] == [2, 2]
    assert [row["other_bytes"] for row in rows] == [[], ["model"]]
    assert all(row["seconds"] > 0 for row in rows)
    with chdir(tmp_path):
        write_json(bench.FOLDER / "ways.json", {"machine": description(), "minutes": 2.0, "rows": rows})
        Path("README.md").write_text("Before\n<!-- ways: made -->\nold\n<!-- /ways -->\nAfter\n", encoding="utf-8")
        bench.write()
        for page in (bench.PAGE, Path("README.md")):
            text = page.read_text(encoding="utf-8")
            assert "| 1.00 | none |" in text and "| `facestudy run` | " in text and "| `model` |" in text
    assert "old" not in text and text.startswith("Before\n<!-- ways: made -->\n\n| way |") and text.endswith("After\n")


@pytest.mark.slow
def test_each_turn_of_scoring_runs_both_stages_again_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"
    outputs = {"train": "weights", "evaluate": "scores", "export": "model"}
    stages: dict[str, dict[str, Any]] = {
        name: {"cmd": f"python -m stages.{name}", "deps": [f"stages/{name}.py"], "outs": [out]}
        for name, out in outputs.items()
    }
    stages["evaluate"]["deps"] = ["stages/evaluate.py", "weights"]
    stages["export"]["deps"] = ["stages/export.py", "scores"]
    code = {
        stage: f"open({out!r}, 'w').write('1')\nopen({str(log)!r}, 'a').write('{stage} ')\n"
        for stage, out in outputs.items()
    }
    monkeypatch.setattr(whole_run, "ROOT", recorded(tmp_path / "study", stages, code))
    log.unlink()
    monkeypatch.setattr(whole_run, "PAIRS", 2)
    rows = whole_run.scoring()
    assert log.read_text(encoding="utf-8").split() == ["train", *["evaluate", "export"] * 5]
    assert [row["way"] for row in rows] == ["dvc repro", "facestudy run --jobs 2"]
    assert all(row["seconds"]["windows"] == row["ratio"]["windows"] == 2 for row in rows)
    assert rows[0]["ratio"]["median"] == 1 and all(row["seconds"]["least"] > 0 for row in rows)
    with chdir(tmp_path):
        write_json(bench.FOLDER / "scoring.json", {"machine": description(), "minutes": 2.0, "rows": rows})
        bench.write()
        page = bench.PAGE.read_text(encoding="utf-8")
    assert "| way | s | ratio |" in page and "| `facestudy run --jobs 2` | " in page
