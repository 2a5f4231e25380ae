"""The whole pipeline in a temporary clone, shrunk through params.yaml alone, with a cache of its own."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import onnx
import pandas as pd
import pytest
import yaml
from safetensors import safe_open

from tests.clone import ROOT, VARIANTS, copy_study, ran, run, set_keys
from tests.torture import kills
from tests.traces import NO_STRACE, strace_works, violations
from tools import data_formats
from tools.browser import CHROMIUM, NO_CHROMIUM, opened

pytestmark = pytest.mark.slow
MODEL_STAGES = ("train", "evaluate", "export")  # that run once for each model


@pytest.fixture(scope="module")
def study(finished_study: Path, module_folder: Path) -> Path:
    """A copy of the finished study, which these tests change one after the other."""
    return copy_study(finished_study, module_folder / "study")


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
            timing = json.loads((study / "timings" / task / variant / "0" / "train.json").read_text())
            assert {"pictures_per_second", "seconds", "peak_memory_mb"} <= set(timing)
            assert len((folder / "epochs.log").read_text().splitlines()) == 2
            assert (study / "data" / "checkpoints" / task / variant / "0.safetensors").is_file()
    report = (study / "plots" / "report.md").read_text()
    assert "Epoch 2/2 | Train Loss" in report
    assert (study / "plots" / "report.html").stat().st_size < 5e6
    assert len(list((study / "plots" / "mistakes").glob("*/*.html"))) == 6
    assert len(list(study.glob("wandb/offline-run-*"))) == 12  # six trained, six evaluated
    assert run(study, "git", "status", "--porcelain") == ""
    assert "pictures_per_second" in run(study, "dvc", "metrics", "show")


def below(study: Path, pattern: str) -> list[Path]:
    """Files of a path of docs/data-formats.md, whose words in capitals stand for names."""
    files = sorted(study.glob(re.sub(r"[A-Z]{4,}", "*", pattern)))
    assert files, pattern
    return files


def test_files_have_the_fields_that_are_documented(study: Path) -> None:
    for pattern, (model, *_) in data_formats.JSON.items():
        for path in below(study, pattern):
            model.model_validate_json(path.read_bytes())
    for pattern, (model, *_) in data_formats.METADATA.items():
        for path in below(study, pattern):
            if path.suffix == ".onnx":
                text = onnx.load(path).metadata_props[0].value
            else:
                with safe_open(path, framework="np") as file:
                    text = file.metadata()["metadata"]
            model.model_validate_json(text)
    for pattern, columns in data_formats.TABLES.items():
        for path in below(study, pattern):
            if pattern == "data/prepared/TASK/index.csv" and path.parent.name == "pretrain":
                continue
            header = pd.read_csv(path, nrows=0).columns
            fixed = {name for name in columns if "<" not in name}
            assert fixed <= set(header), path
            if not any("<" in name for name in columns):
                assert list(header) == list(columns), path


@pytest.mark.skipif(not strace_works(), reason=NO_STRACE)
def test_a_stage_opens_what_it_declares_and_nothing_else(finished_study: Path) -> None:
    stages = yaml.safe_load((finished_study / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    found = {}
    for name, entry in stages.items():
        deps, outs = ([each["path"] for each in entry.get(kind, [])] for kind in ("deps", "outs"))
        log = (finished_study.parent / "traces" / f"{name}.log").read_text(encoding="utf-8", errors="replace")
        assert f"stages/{name.split('@')[0]}.py" in log, f"{name} is not traced"
        found[name] = violations(log, finished_study, deps, outs)
    assert {name: output for name, output in found.items() if output} == {}


def test_no_output_names_the_user_or_the_machine(finished_study: Path) -> None:
    folders = ("data", "metrics", "plots", "timings")
    paths = [path for folder in folders for path in (finished_study / folder).rglob("*") if path.is_file()]
    texts = {path: path.read_bytes() for path in paths}
    names = [str(finished_study), str(Path.home()), socket.gethostname(), sys.executable]
    output = {
        (path.name, name) for path, text in texts.items() for name in names if len(name) > 5 and name.encode() in text
    }
    assert len(texts) > 100 and output == set()


def test_only_the_new_seed_is_trained(study: Path) -> None:
    set_keys(study, {"seeds": [0, 1]})
    output = json.loads(run(study, "dvc", "status", "--json"))
    run(study, "git", "checkout", "-q", ".")
    new = {name for name in output if name.split("@")[0] in MODEL_STAGES}
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


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, (path, old)
    path.write_text(text.replace(old, new), encoding="utf-8")


# An edit, by file, text and what it becomes, and the stages that have to run for it, those that follow left out.
EDITS = {
    "scoring": ("facestudy/evaluation/scores.py", "\n\n\ndef score(", "\n\n\nUNUSED = 0\n\n\ndef score(", {"evaluate"}),
    "training loop": ("facestudy/training/loop.py", "NORM_STEPS = 8", "NORM_STEPS = 9", {"train"}),
    "plot colour": ("facestudy/figures/style.py", "#0072B2", "#0072B3", {"plot", "compare"}),
    "title": ("params.yaml", "title: VGG16 with a small head\n", "title: VGG-16\n", {"check"}),
    "CSV writer": (
        "facestudy/csv_writer.py",
        "index=False",
        "index=bool(0)",
        {"download", "split", "leaks", "preprocess", "pretrain_faces", "train", "evaluate", "compare"},
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_reruns_what_depends_on_it(study: Path, name: str) -> None:
    file, old, new, stages = EDITS[name]
    edit(study / file, old, new)
    status = json.loads(run(study, "dvc", "status", "--json"))
    run(study, "git", "checkout", "-q", ".")
    assert {stage.split("@")[0] for stage in status} == stages


def test_a_changed_title_trains_nothing(study: Path) -> None:
    edit(study / "params.yaml", "title: VGG16 with a small head\n", "title: VGG-16\n")
    run(study, "dvc", "repro", "check")
    status = json.loads(run(study, "dvc", "status", "--json"))
    assert {stage.split("@")[0] for stage in status} == {"plot", "mistakes", "compare", "model_card", "report"}
    run(study, "git", "checkout", "-q", ".")
    run(study, "dvc", "checkout")


def accept_code(study: Path) -> "subprocess.CompletedProcess[str]":
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    command = [sys.executable, "-m", "tools.accept_code"]
    return subprocess.run(
        command, cwd=study, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )


def test_a_comment_is_accepted_and_reruns_nothing(study: Path) -> None:
    loop = study / "facestudy" / "training" / "loop.py"
    edit(loop, "NORM_STEPS = 8", "# seldom\nNORM_STEPS = 8")
    assert {name.split("@")[0] for name in json.loads(run(study, "dvc", "status", "--json"))} == {"train"}
    done = accept_code(study)
    assert done.returncode == 0, done.stderr
    assert ran(run(study, "dvc", "repro")) == set() and "up to date" in run(study, "dvc", "status")
    changed = run(study, "git", "diff", "--name-only")
    assert set(changed.split()) == {"facestudy/training/loop.py", "dvc.lock"}
    run(study, "git", "commit", "-qam", "a comment")  # what later edits are compared with


def test_a_changed_line_is_refused_by_name_and_runs(study: Path) -> None:
    loop = study / "facestudy" / "training" / "loop.py"
    edit(loop, "NORM_STEPS = 8", "NORM_STEPS = 9")
    lock = (study / "dvc.lock").read_bytes()
    done = accept_code(study)
    assert done.returncode == 1 and "facestudy/training/loop.py: the module" in done.stderr
    assert (study / "dvc.lock").read_bytes() == lock
    run(study, "git", "checkout", "-q", ".")


def test_nothing_is_accepted_where_more_than_code_changed(study: Path) -> None:
    edit(study / "facestudy" / "training" / "loop.py", "NORM_STEPS = 8", "# seldom\nNORM_STEPS = 8")
    set_keys(study, {"variants.vgg16.lr": 0.1})
    done = accept_code(study)
    assert done.returncode != 0 and "not its code alone changed" in done.stderr
    run(study, "git", "checkout", "-q", ".")


@pytest.mark.skipif(sys.platform != "linux", reason="stages end with dvc on Linux alone")
def test_killed_stages_end_with_the_same_bytes(study: Path) -> None:
    """The short form of `make torture`."""
    rows, lost = kills(study, 3, seed=1)
    assert lost == [] and sum(tried for name, tried, _ in rows if name.startswith("stage ")) == 3


def test_one_variant_changed_runs_what_follows_from_it(study: Path) -> None:
    key = "variants.resnet18_scratch.epochs.emotion"
    set_keys(study, {key: 1})
    output = ran(run(study, "dvc", "repro"))
    model = "emotion-resnet18_scratch-0"
    after = {f"{stage}@{model}" for stage in MODEL_STAGES}
    after |= {"plot@emotion", "mistakes@emotion", "compare@emotion", "model_card@emotion-resnet18_scratch"}
    assert output == {"check", *after, "report"}
    set_keys(study, {"variants.resnet18_scratch.lr": 0.0005})
    output = ran(run(study, "dvc", "repro"))
    models = [f"{task}-resnet18_scratch-0" for task in ("face", "emotion")]
    after = {f"{stage}@{model}" for stage in MODEL_STAGES for model in models}
    for task in ("face", "emotion"):
        after |= {f"plot@{task}", f"mistakes@{task}", f"compare@{task}", f"model_card@{task}-resnet18_scratch"}
    assert output == {"check", *after, "report"}


def test_metrics_and_plots_compare_revisions(study: Path) -> None:
    assert "accuracy" in run(study, "dvc", "metrics", "diff", "HEAD")
    output = run(study, "dvc", "plots", "diff", "HEAD", "--json")
    assert "plots/curves/face.csv" in output and "plots/confusion_zscore/face.csv" in output
    assert "comparison" in run(study, "dvc", "plots", "show", "--json")


@pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)
def test_plots_are_drawn_in_pages_that_need_no_network(study: Path) -> None:
    output = run(study, "python", "-m", "facestudy.cli", "plots", "--no-open", "HEAD")
    addresses = [line for line in output.splitlines() if line.startswith("file:")]
    assert [address.split("/")[-2] for address in addresses] == ["show", "diff"]
    for address in addresses:
        with opened(offline=True) as (page, wrong):
            page.goto(address)
            page.locator("canvas, svg.marks").first.wait_for()
            assert page.locator(".vega-embed").count() > 3 and page.locator("img").count() > 1
            # Of DVC's own templates: they draw before their data is there, and name the older version of Vega.
            assert [line for line in wrong if not line.startswith(("WARN Infinite extent", "The compiled spec"))] == []


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
    artifacts = {name: (each["path"], each["labels"]) for name, each in pipeline["artifacts"].items()}
    expected = {}
    for task, variant, seed in models:
        name, model = f"{task}-{variant}".replace("_", "-"), f"{task}/{variant}/{seed}"
        expected[name] = (f"data/checkpoints/{model}.safetensors", [task, variant, "checkpoint"])
        expected[f"{name}-onnx"] = (f"data/exported/{model}.onnx", [task, variant, "onnx"])
    assert artifacts == expected
    assert pipeline["metrics"] == ["timings"]
