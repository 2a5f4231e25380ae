"""The commands of docs/experiments.md, one section after the other, in a copy of a finished study."""

import json
import re
import time
from pathlib import Path

import pytest

from tests.clone import ROOT, copy_study, ran, run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def study(finished_study: Path, module_folder: Path) -> Path:
    return copy_study(finished_study, module_folder / "study")


def recipe(section: str) -> str:
    """The commands of a section of docs/experiments.md, as one script that ends at the first that fails."""
    text = (ROOT / "docs" / "experiments.md").read_text(encoding="utf-8")
    (body,) = re.findall(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", text, flags=re.DOTALL | re.MULTILINE)
    blocks = re.findall(r"^```console\n(.*?)^```$", body, flags=re.DOTALL | re.MULTILINE)
    lines = [line.removeprefix("$ ") for line in "".join(blocks).splitlines()]
    assert lines
    return "\n".join(["set -eo pipefail", *lines])


def python_block(section: str) -> str:
    text = (ROOT / "docs" / "experiments.md").read_text(encoding="utf-8")
    (code,) = re.findall(rf"^## {re.escape(section)}\n.*?^```python\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    return str(code)


def follow(study: Path, section: str) -> str:
    return run(study, "bash", "-c", recipe(section))


def test_recipe_change_one_number_and_compare(study: Path) -> None:
    run(study, "git", "checkout", "-q", ".")
    output = follow(study, "Change one number and compare")
    assert (
        "tage 'train@face-resnet18_scratch-0'" in output and "train@emotion" not in output
    )  # run, or from the run cache
    assert re.search(r"variants.resnet18_scratch.lr +0.001 +0.0005", output)
    assert re.search(r"resnet18_scratch/0/scores.json +loss", output) and "gentler" in output


def test_recipe_back_to_an_earlier_result(study: Path) -> None:
    assert ran(follow(study, "Back to an earlier result")) == set()
    assert run(study, "git", "status", "--porcelain") == ""


def test_recipe_a_grid(study: Path) -> None:
    script = recipe("A grid, one after the other")
    show = script.splitlines()[-1]
    run(study, "bash", "-c", script.removesuffix(show))
    deadline = time.monotonic() + 240
    while (output := run(study, "dvc", "queue", "status")).count("Success") < 2:
        assert "Failed" not in output and time.monotonic() < deadline, output
        time.sleep(1)
    assert run(study, "git", "status", "--porcelain") == ""
    table = run(study, "bash", "-c", show)
    assert "0.0003" in table and "0.003" in table and "0.0005" in table


def test_recipe_keep_one(study: Path) -> None:
    follow(study, "Keep one")
    assert "lr: 0.0005" in run(study, "git", "show", "gentler-rate:params.yaml")
    assert run(study, "git", "status", "--porcelain") == ""


def test_recipe_share_data_and_models(study: Path) -> None:
    output = follow(study, "Share data and models")
    assert ran(output) == set() and "up to date" in output
    assert (study.parent / "elsewhere" / "plots" / "report.html").is_file()


def test_recipe_share_experiments(study: Path) -> None:
    run(study, "git", "init", "-q", "--bare", "../origin.git")
    run(study, "git", "remote", "add", "origin", "../origin.git")
    run(study, "git", "push", "-q", "origin", "HEAD")
    follow(study, "Share experiments")
    assert "gentler" in run(study, "dvc", "exp", "list", "--all-commits", "origin") and "edited" in run(
        study, "dvc", "exp", "list"
    )
    run(study, "git", "checkout", "-q", ".")


def test_recipe_publish_a_model(study: Path) -> None:
    shown = follow(study, "Publish a model")
    assert "v0.0.1" in shown and "#production" in shown
    exported = study / "data/exported/face/vgg16/0.onnx"
    assert (study.parent / "model.onnx").read_bytes() == exported.read_bytes()


def test_recipe_read_at_a_revision(study: Path) -> None:
    script = python_block("Read results in Python")
    printed = run(study, "python", "-c", script)
    accuracy = json.loads((study / "metrics/face/vgg16/0/scores.json").read_text(encoding="utf-8"))["accuracy"]
    assert printed.split()[0] == str(accuracy) and "features.0.weight" in printed


def test_recipe_clean_up(study: Path) -> None:
    follow(study, "Clean up")
    assert "gentler" not in run(study, "dvc", "exp", "list").replace("gentler-rate", "")
    assert ran(run(study, "dvc", "repro")) == set()
