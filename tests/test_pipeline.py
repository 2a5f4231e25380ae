"""The whole pipeline in a temporary clone, shrunk through params.yaml alone, with a cache of its own."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.clone import ROOT, VARIANTS, run, set_keys, shrunk_clone
from tests.torture import kills
from tests.traces import NO_STRACE, strace_works, traced_python, violations
from tools.browser import CHROMIUM, NO_CHROMIUM, opened

MODEL_STAGES = ("train", "evaluate", "export", "plot")  # that run once for each model


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone with the working tree's files, run once in full."""
    clone = tmp_path_factory.mktemp("study")
    shrunk_clone(clone)
    traced = traced_python(tmp_path_factory.mktemp("traces")) if strace_works() else Path(sys.executable).parent
    run(clone, "dvc", "repro", first_in_path=traced)
    run(clone, "git", "add", "-A")
    run(clone, "git", "commit", "-qm", "first run")
    (clone.parent / "traces").symlink_to(traced)
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


@pytest.mark.skipif(not strace_works(), reason=NO_STRACE)
def test_a_stage_opens_what_it_declares_and_nothing_else(study: Path) -> None:
    stages = yaml.safe_load(run(study, "git", "show", "HEAD:dvc.lock"))["stages"]
    found = {}
    for name, entry in stages.items():
        deps, outs = ([each["path"] for each in entry.get(kind, [])] for kind in ("deps", "outs"))
        log = (study.parent / "traces" / f"{name}.log").read_text(encoding="utf-8", errors="replace")
        assert f"stages/{name.split('@')[0]}.py" in log, f"{name} is not traced"
        found[name] = violations(log, study, deps, outs)
    assert {name: told for name, told in found.items() if told} == {}


def test_no_output_names_the_user_or_the_machine(study: Path) -> None:
    texts = {path: path.read_bytes() for folder in ("data", "metrics", "plots") for path in (study / folder).rglob("*")
             if path.is_file()}  # fmt: skip
    names = [str(study), str(Path.home()), socket.gethostname(), sys.executable]
    told = {
        (path.name, name) for path, text in texts.items() for name in names if len(name) > 5 and name.encode() in text
    }
    assert len(texts) > 100 and told == set()


def test_only_the_new_seed_is_trained(study: Path) -> None:
    set_keys(study, {"seeds": [0, 1]})
    told = json.loads(run(study, "dvc", "status", "--json"))
    run(study, "git", "checkout", "-q", ".")
    new = {name for name in told if name.split("@")[0] in MODEL_STAGES}
    models = [f"{task}-{variant}-1" for task in ("face", "emotion") for variant in VARIANTS]
    assert new == {f"{stage}@{model}" for stage in MODEL_STAGES for model in models}


def test_again_nothing_runs(study: Path) -> None:
    assert ran(run(study, "dvc", "repro")) == set()
    left_behind = [study / "metrics" / name for name in (".3FXrZl6gq2w.tmp", ".scores.json.part")]
    for path in left_behind:
        path.touch()  # as by a DVC, or a stage, that was killed
    assert "up to date" in run(study, "dvc", "status")
    assert run(study, "git", "status", "--porcelain") == ""
    for path in left_behind:
        path.unlink()


def test_changed_scoring_trains_nothing(study: Path) -> None:
    path = study / "stages" / "scoring" / "scores.py"
    kept = path.read_text(encoding="utf-8")
    path.write_text(f"{kept}# changed\n", encoding="utf-8")
    told = json.loads(run(study, "dvc", "status", "--json"))
    path.write_text(kept, encoding="utf-8")
    assert {name.split("@")[0] for name in told} == {"evaluate"}


@pytest.mark.skipif(sys.platform != "linux", reason="stages end with dvc on Linux alone")
def test_killed_stages_end_with_the_same_bytes(study: Path) -> None:
    """The short form of `make torture`."""
    rows, lost = kills(study, 3, seed=1)
    assert lost == [] and sum(tried for name, tried, _ in rows if name.startswith("stage ")) == 3


def test_one_variant_changed_runs_what_follows_from_it(study: Path) -> None:
    key = "variants.resnet18_scratch.epochs.emotion"
    set_keys(study, {key: 1})
    told = ran(run(study, "dvc", "repro"))
    model = "emotion-resnet18_scratch-0"
    after = {f"{stage}@{model}" for stage in MODEL_STAGES}
    assert told == {"check", *after, "mistakes@emotion", "compare@emotion", "report"}
    set_keys(study, {"variants.resnet18_scratch.lr": 0.0005})
    told = ran(run(study, "dvc", "repro"))
    models = [f"{task}-resnet18_scratch-0" for task in ("face", "emotion")]
    after = {f"{stage}@{model}" for stage in MODEL_STAGES for model in models}
    after |= {f"{stage}@{task}" for stage in ("mistakes", "compare") for task in ("face", "emotion")}
    assert told == {"check", *after, "report"}


def test_metrics_and_plots_compare_revisions(study: Path) -> None:
    assert "accuracy" in run(study, "dvc", "metrics", "diff", "HEAD")
    told = run(study, "dvc", "plots", "diff", "HEAD", "--json")
    assert "curves.csv" in told and "confusion_zscore.csv" in told
    assert "comparison" in run(study, "dvc", "plots", "show", "--json")


@pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)
def test_plots_are_drawn_in_pages_that_need_no_network(study: Path) -> None:
    told = run(study, "python", "-m", "tools.plots", "--no-open", "HEAD")
    addresses = [line for line in told.splitlines() if line.startswith("file:")]
    assert [address.split("/")[-2] for address in addresses] == ["show", "diff"]
    for address in addresses:
        with opened(offline=True) as (page, wrong):
            page.goto(address)
            page.locator("canvas, svg.marks").first.wait_for()
            assert page.locator(".vega-embed").count() > 3 and page.locator("img").count() > 1
            # Of DVC's own templates: they draw before their data is there, and name the older version of Vega.
            assert [line for line in wrong if not line.startswith(("WARN Infinite extent", "The compiled spec"))] == []


def recipe(section: str) -> str:
    """The commands of a section of docs/experiments.md, as one script that ends at the first that fails."""
    text = (ROOT / "docs" / "experiments.md").read_text(encoding="utf-8")
    (body,) = re.findall(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", text, flags=re.DOTALL | re.MULTILINE)
    blocks = re.findall(r"^```console\n(.*?)^```$", body, flags=re.DOTALL | re.MULTILINE)
    lines = [line.removeprefix("$ ") for line in "".join(blocks).splitlines()]
    assert lines
    return "\n".join(["set -eo pipefail", *lines])


def follow(study: Path, section: str) -> str:
    return run(study, "bash", "-c", recipe(section))


def test_recipe_change_one_number_and_compare(study: Path) -> None:
    run(study, "git", "checkout", "-q", ".")
    told = follow(study, "Change one number and compare")
    assert "tage 'train@face-resnet18_scratch-0'" in told and "train@emotion" not in told  # run, or from the run cache
    assert re.search(r"variants.resnet18_scratch.lr +0.001 +0.0005", told)
    assert re.search(r"resnet18_scratch/0/scores.json +accuracy", told) and "gentler" in told


def test_recipe_back_to_an_earlier_result(study: Path) -> None:
    assert ran(follow(study, "Back to an earlier result")) == set()
    assert run(study, "git", "status", "--porcelain") == ""


def test_recipe_a_grid(study: Path) -> None:
    script = recipe("A grid, one after the other")
    show = script.splitlines()[-1]
    run(study, "bash", "-c", script.removesuffix(show))
    deadline = time.monotonic() + 240
    while (told := run(study, "dvc", "queue", "status")).count("Success") < 2:
        assert "Failed" not in told and time.monotonic() < deadline, told
        time.sleep(1)
    assert run(study, "git", "status", "--porcelain") == ""
    table = run(study, "bash", "-c", show)
    assert "0.0003" in table and "0.003" in table and "0.0005" in table


def test_recipe_keep_one(study: Path) -> None:
    follow(study, "Keep one")
    assert "lr: 0.0005" in run(study, "git", "show", "gentler-rate:params.yaml")
    assert run(study, "git", "status", "--porcelain") == ""


def test_recipe_share_data_and_models(study: Path) -> None:
    told = follow(study, "Share data and models")
    assert ran(told) == set() and "up to date" in told
    assert (study.parent / "elsewhere" / "plots" / "report.html").is_file()


def test_recipe_clean_up(study: Path) -> None:
    follow(study, "Clean up")
    assert "gentler" not in run(study, "dvc", "exp", "list").replace("gentler-rate", "")
    assert ran(run(study, "dvc", "repro")) == set()


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
