"""The whole pipeline in a temporary clone, shrunk through params.yaml alone, with a cache of its own."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

ROOT = Path(__file__).parents[1]
# A change that an earlier test has trained: the run cache restores it, evaluate and what follows run anew.
EXPERIMENT = "variants.resnet18_scratch.epochs.emotion=1"
VARIANTS = ["vgg16", "resnet18_scratch", "resnet18_pretrained"]


def run(folder: Path, *command: str) -> str:
    """What a command printed; its failure fails the test with all it said."""
    environment = {**os.environ, "WANDB_MODE": "offline", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def set_keys(folder: Path, values: dict[str, Any]) -> None:
    """Change keys of params.yaml, named by their path; none may be new."""
    path = folder / "params.yaml"
    params = yaml.safe_load(path.read_text(encoding="utf-8"))
    for key, value in values.items():
        *parents, last = key.split(".")
        section = params
        for parent in parents:
            section = section[parent]
        assert last in section, key
        section[last] = value
    path.write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")


SHRUNK: dict[str, Any] = {
    "data.sample.target_pictures": 20,
    "data.sample.other_pictures": 40,
    "data.sample.emotion_pictures": 60,
    "preprocess.size": 32,
    "weights.pretrain.people": 12,
    "weights.pretrain.pictures": 60,
    "weights.architectures.vgg16.rounds": [{"size": 32, "epochs": 1}],
    "weights.architectures.resnet18.rounds": [{"size": 32, "epochs": 1}],
    **{f"variants.{variant}.epochs.{task}": 2 for variant in VARIANTS for task in ("face", "emotion")},
}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone with the working tree's files, run once in full."""
    clone = tmp_path_factory.mktemp("study")
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.splitlines():
        # dvc.lock and the default run's results would let DVC skip what is to be tested here.
        if (ROOT / name).is_file() and name != "dvc.lock" and not name.startswith(("metrics/", "plots/")):
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, clone / name)
    run(clone, "git", "init", "-q")
    run(clone, "git", "config", "user.name", "test")
    run(clone, "git", "config", "user.email", "test@localhost")
    run(clone, "dvc", "cache", "dir", "--local", str(clone / ".dvc" / "own-cache"))
    set_keys(clone, SHRUNK)
    run(clone, "git", "add", "-A")
    run(clone, "git", "commit", "-qm", "shrunk")
    run(clone, "dvc", "repro")
    run(clone, "git", "add", "-A")
    run(clone, "git", "commit", "-qm", "first run")
    return clone


def ran(told: str) -> set[str]:
    """Stages that ran, by what `dvc repro` printed."""
    marked = [line for line in told.splitlines() if line.startswith("Running stage '")]
    return {line.split("'")[1] for line in marked}


def test_all_that_is_promised_is_there(study: Path) -> None:
    for task in ("face", "emotion"):
        for variant in VARIANTS:
            folder = study / "metrics" / task / variant / "0"
            scores = json.loads((folder / "scores.json").read_text())
            history = pd.read_csv(folder / "history.csv")
            assert list(history["epoch"]) == [1, 2]
            assert scores["accuracy"] == pytest.approx(history["val_accuracy"].iloc[-1], abs=1e-9)
            assert scores["loss"] == pytest.approx(history["val_loss"].iloc[-1], abs=1e-4)
            predictions = pd.read_csv(folder / "predictions.csv")
            assert scores["accuracy"] == pytest.approx((predictions["truth"] == predictions["prediction"]).mean())
            assert {"pictures_per_second", "seconds", "peak_memory_mb"} <= set(
                json.loads((folder / "timing.json").read_text())
            )
            assert len((folder / "epochs.log").read_text().splitlines()) == 2
            assert (study / "data" / "checkpoints" / task / variant / "0.safetensors").is_file()
    report = (study / "plots" / "report.md").read_text()
    assert "Epoch 2/2 | Train Loss" in report
    assert (study / "plots" / "report.html").stat().st_size < 5e6
    assert len(list((study / "plots" / "mistakes").glob("*/*.html"))) == 6
    assert len(list(study.glob("wandb/offline-run-*"))) == 12  # six trained, six evaluated
    assert run(study, "git", "status", "--porcelain") == ""


def test_again_nothing_runs(study: Path) -> None:
    assert ran(run(study, "dvc", "repro")) == set()
    assert "up to date" in run(study, "dvc", "status")


def test_one_variant_changed_runs_what_follows_from_it(study: Path) -> None:
    key = "variants.resnet18_scratch.epochs.emotion"
    set_keys(study, {key: 1})
    told = ran(run(study, "dvc", "repro"))
    model = "emotion-resnet18_scratch-0"
    after = {f"{stage}@{model}" for stage in ("train", "evaluate", "plot", "mistakes")}
    assert told == {"check", *after, "compare@emotion", "report"}
    set_keys(study, {"variants.resnet18_scratch.lr": 0.0005})
    told = ran(run(study, "dvc", "repro"))
    models = [f"{task}-resnet18_scratch-0" for task in ("face", "emotion")]
    after = {f"{stage}@{model}" for stage in ("train", "evaluate", "plot", "mistakes") for model in models}
    assert told == {"check", *after, "compare@face", "compare@emotion", "report"}


def test_metrics_and_plots_compare_revisions(study: Path) -> None:
    assert "accuracy" in run(study, "dvc", "metrics", "diff", "HEAD")
    told = run(study, "dvc", "plots", "diff", "HEAD", "--json")
    assert "curves.csv" in told and "confusion_zscore.csv" in told
    assert "comparison" in run(study, "dvc", "plots", "show", "--json")


def test_experiments_run_and_show(study: Path) -> None:
    run(study, "git", "checkout", "-q", ".")
    run(study, "dvc", "exp", "run", "-q", "-n", "shorter", "-S", EXPERIMENT)
    told = run(study, "dvc", "exp", "show", "--csv")
    assert "shorter" in told


def test_a_queued_experiment_runs(study: Path) -> None:
    run(study, "git", "checkout", "-q", ".")
    run(study, "dvc", "exp", "run", "--queue", "-n", "queued", "-S", EXPERIMENT)
    run(study, "dvc", "queue", "start", "-j", "1")
    deadline = time.monotonic() + 240
    while "Success" not in (told := run(study, "dvc", "queue", "status")):
        assert "Failed" not in told and time.monotonic() < deadline, told + run(study, "dvc", "queue", "logs", "queued")
        time.sleep(1)
    assert "queued" in run(study, "dvc", "exp", "show", "--csv")


def test_a_wrong_key_is_refused_before_any_work(study: Path) -> None:
    run(study, "git", "checkout", "-q", ".")
    path = study / "params.yaml"
    kept = path.read_text()
    path.write_text(kept.replace("batch_size: 32", "batch_sice: 32", 1))
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(["dvc", "repro"], cwd=study, env=environment, capture_output=True, text=True, check=False)
    path.write_text(kept)
    assert done.returncode != 0
    assert "batch_sice" in done.stderr and "Traceback" not in done.stderr


def test_the_lists_of_models_in_dvc_yaml_follow_the_matrix() -> None:
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    pipeline = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    models = [(task, variant, seed) for task in params["tasks"] for variant in params["variants"] for seed in (0,)]
    assert params["seeds"] == [0]
    artifacts = {name: artifact["path"] for name, artifact in pipeline["artifacts"].items()}
    assert artifacts == {
        f"{task}-{variant}".replace("_", "-"): f"data/checkpoints/{task}/{variant}/{seed}.safetensors"
        for task, variant, seed in models
    }
    assert pipeline["metrics"] == [f"metrics/{task}/{variant}/{seed}/timing.json" for task, variant, seed in models]
