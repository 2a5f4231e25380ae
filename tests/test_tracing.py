"""`facestudy trace` in a clone of a finished study, before and after `dvc pull`, against dvc.lock and Git."""

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from huggingface_hub import ModelCard

from tests.clone import run

pytestmark = pytest.mark.slow
SCORES = "metrics/face/vgg16/0/scores.json"


@pytest.fixture(scope="module")
def clone(finished_study: Path, module_folder: Path) -> Path:
    """As Git has it; its remote is the study's cache."""
    folder = module_folder / "clone"
    run(finished_study, "git", "clone", "-q", str(finished_study), str(folder))
    run(folder, "dvc", "remote", "add", "--local", "--default", "store", str(finished_study / ".dvc" / "cache"))
    run(folder, "dvc", "cache", "dir", "--local", str(folder / ".dvc" / "cache"))
    return folder


@pytest.fixture(scope="module")
def pulled(clone: Path) -> Path:
    run(clone, "dvc", "pull", "--quiet")
    return clone


def trace(folder: Path, target: str) -> str:
    return " ".join(run(folder, "python", "-m", "facestudy.cli", "trace", target).split())


def names_what_dvc_and_git_say(folder: Path, printed: str, stages: list[str]) -> None:
    lock = yaml.safe_load((folder / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    commits = run(folder, "git", "log", "--format=%h of %cs", "--", "dvc.lock").splitlines()
    for stage in stages:
        assert f"{stage} " in printed and f"command {lock[stage]['cmd']}" in printed
        for file in [*lock[stage]["deps"], *lock[stage]["outs"]]:
            assert f"{file['path']} md5 {file['md5']}" in printed, (stage, file["path"])
    assert any(f"its result is in dvc.lock since commit {commit}" in printed for commit in commits)


ALL = ["train@face-vgg16-0", "initial_weights@vgg16", "weights@vgg16", "pretrain_faces", "preprocess@face"]
ALL += ["leaks@face", "split@face", "download", "check"]
TARGETS = {
    f"{SCORES}:accuracy": ["evaluate@face-vgg16-0", *ALL],
    "metrics/face/vgg16/0/history.csv:2,val_accuracy": ALL,
    "timings/face/vgg16/0/train.json:threads": ALL,
    "data/checkpoints/face/vgg16/0.safetensors": ALL,
    "data/exported/face/vgg16/0.onnx": ["export@face-vgg16-0", "evaluate@face-vgg16-0", *ALL],
    "data/exported/face/vgg16/README.md": ["model_card@face-vgg16", "export@face-vgg16-0", *ALL],
    "plots/figures/face/vgg16_0/curves.png": ["plot@face", "evaluate@face-vgg16-0", *ALL],
    "plots/mistakes/face/vgg16_0.html": ["mistakes@face", *ALL],
    "plots/report.md:Part 1 > has the highest": ["report", "compare@face", "evaluate@face-resnet18_scratch-0", *ALL],
}


def test_without_the_data_what_git_has_is_said(clone: Path) -> None:
    """The first of the tests: later ones pull."""
    assert not (clone / "data" / "raw").exists()
    for target in (f"{SCORES}:accuracy", "data/checkpoints/face/vgg16/0.safetensors"):
        printed = trace(clone, target)
        names_what_dvc_and_git_say(clone, printed, TARGETS[target])
        assert "data/raw: NOT HERE: `dvc pull` gets it" in printed
    validated, trained = pictures(clone)
    printed = trace(clone, validated)
    assert "data/raw/index.csv is NOT HERE" in printed and "vgg16, seed 0: " in printed
    assert "and no picture of its index; the photos are not here" in failed(clone, trained)


def pictures(folder: Path) -> tuple[str, str]:
    """A picture of the face task in validation, and a name that no file has."""
    table = pd.read_csv(folder / "metrics" / "face" / "vgg16" / "0" / "predictions.csv")
    return str(table["file"].iloc[0]), "0000000000000000.jpg"


def failed(folder: Path, target: str) -> str:
    script = f"! python -m facestudy.cli trace {target}"
    printed = run(folder, "bash", "-c", script)
    assert "Traceback" not in printed
    return printed


@pytest.mark.parametrize("target", TARGETS)
def test_every_kind_of_target_names_what_dvc_and_git_say(pulled: Path, target: str) -> None:
    printed = trace(pulled, target)
    names_what_dvc_and_git_say(pulled, printed, TARGETS[target])
    assert "every file, parameter and line of code below is as dvc.lock has it" in printed
    if target == f"{SCORES}:accuracy":
        accuracy = json.loads((pulled / SCORES).read_text(encoding="utf-8"))["accuracy"]
        assert printed.startswith(f"{target} = {accuracy} ")


def test_a_picture_has_its_source_split_crop_and_answers(pulled: Path) -> None:
    file = pictures(pulled)[0]
    index = row(pd.read_csv(pulled / "data/raw/index.csv", dtype=str), file)
    prepared = row(pd.read_csv(pulled / "data/prepared/face/index.csv", dtype=str), file)
    answer = row(pd.read_csv(pulled / "metrics/face/vgg16/0/predictions.csv"), file)
    for name in (file, index["source_file"], f"data/raw/images/{file}", file.split(".", maxsplit=1)[0]):
        printed = trace(pulled, name)
        assert f"source file {index['source_file']}" in printed and f"person {index['person']}" in printed
        assert f"label {prepared['label']} split {prepared['split']}" in printed
        assert f"faces found: {prepared['faces_found']}" in printed and "it is the packed crop" in printed
        verdict = "right" if answer["prediction"] == answer["truth"] else "WRONG"
        assert f"vgg16, seed 0: {answer['prediction']}, {verdict}" in printed
        assert f"target {100 * answer['p_target']:.2f} %" in printed
    copy = pulled.parent / "renamed.jpg"
    copy.write_bytes((pulled / "data/raw/images" / file).read_bytes())
    assert f"data/raw/images/{file} " in trace(pulled, str(copy))


def row(table: pd.DataFrame, file: str) -> Any:
    return table[table["file"] == file].iloc[0]


def test_the_model_cards_are_read_by_the_hub_s_own_reader(pulled: Path) -> None:
    cards = sorted(pulled.glob("data/exported/*/*/README.md"))
    assert len(cards) == 6
    for path in cards:
        scores = json.loads((pulled / "metrics" / Path(*path.parts[-3:-1]) / "0" / "scores.json").read_text())
        results = ModelCard.load(path).data.eval_results
        assert {each.metric_type: each.metric_value for each in results}["accuracy"] == scores["accuracy"]
        link = f"(../{path.relative_to(pulled)})"
        assert link in (pulled / "plots" / "report.md").read_text(encoding="utf-8")
        assert not re.search(r"/tmp/|/home/", path.read_text(encoding="utf-8"))
