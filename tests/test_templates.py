"""Our Vega templates, filled by DVC itself from two commits."""

import json
import subprocess
import sys
from contextlib import chdir
from pathlib import Path
from shutil import copytree
from typing import Any

import pandas as pd
import pytest
import yaml
from PIL import Image

from facestudy.contracts.corruptions import COMPARED, TITLES
from tests.study_maker import ROOT

PLOTS = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["plots"]
FIGURES = ("plots/comparison/face.png", "plots/figures/face/vgg16_0/curves.png")
TABLES = {Path(name).name for entry in PLOTS if isinstance(entry, dict) for name in entry}


def tables(share: float) -> None:
    """The tables of a task as compare writes them: two variants, two classes, one epoch, one kind of corruption."""
    for name in TABLES:
        Path("plots", name).mkdir(parents=True, exist_ok=True)
    models = [("vgg16", 0), ("resnet18_scratch", 0)]
    curves = pd.DataFrame(models, columns=["variant", "seed"])
    curves.assign(epoch=1, train_loss=0.5, train_accuracy=share, val_loss=0.6, val_accuracy=share).to_csv(
        "plots/curves/face.csv", index=False
    )
    values = (share, share - 0.1, share + 0.1)
    outcomes = curves.assign(kind="blur", strength=5, **dict(zip(COMPARED[2:], values, strict=True)))
    outcomes.to_csv("plots/corruptions/face.csv", index=False)
    rows = [(*model, truth, prediction) for model in models for truth in "ab" for prediction in "ab"]
    cells = pd.DataFrame(rows, columns=["variant", "seed", "truth", "prediction"])
    cells.assign(count=7).to_csv("plots/confusion/face.csv", index=False)
    cells.assign(zscore=share).to_csv("plots/confusion_zscore/face.csv", index=False)


def call(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `dvc plots diff` of two commits gives, by the name of the file."""
    folder = tmp_path_factory.mktemp("repository")
    stage = {"cmd": "true", "plots": [{"metrics/history.csv": {"cache": False}}]}
    with chdir(folder):
        call("git", "init", "-q")
        call(sys.executable, "-m", "dvc", "init", "-q")
        copytree(ROOT / ".dvc" / "plots", folder / ".dvc" / "plots")
        Path("dvc.yaml").write_text(yaml.safe_dump({"plots": PLOTS, "stages": {"train": stage}}))
        for share in (0.25, 0.75):
            tables(share)
            Path("metrics").mkdir(exist_ok=True)
            Path("metrics/history.csv").write_text(f"epoch,val_accuracy\n1,{share}\n")
            for name in FIGURES:
                Path(name).parent.mkdir(parents=True, exist_ok=True)
                Image.new("L", (1, 1)).save(name)
            call("git", "add", "-A")
            call("git", "-c", "user.name=a", "-c", "user.email=a@localhost", "commit", "-q", "-m", "commit")
        output = json.loads(call(sys.executable, "-m", "dvc", "plots", "diff", "HEAD~1", "HEAD", "--json"))
    assert "errors" not in output
    return {name: content[0].get("content", {}) for name, content in output["data"].items()}


@pytest.fixture(scope="module")
def shown(drawn: dict[str, Any]) -> dict[str, Any]:
    """The same, of the tables that a template of ours draws, by the name of the table."""
    ours = {Path(name).parent.name: content for name, content in drawn.items()}
    return {table: ours[table] for table in TABLES}


def test_overlays_of_all_variants_come_first_and_each_model_after(drawn: dict[str, Any]) -> None:
    overlays = ["curves/face.csv", "comparison/face.png"]
    tables = ["confusion/face.csv", "confusion_zscore/face.csv", "corruptions/face.csv"]
    figures = ["figures/face/vgg16_0/curves.png"]
    assert list(drawn) == [*(f"plots/{name}" for name in (*overlays, *tables, *figures)), "metrics/history.csv"]


def test_every_anchor_is_filled_and_every_row_of_both_revisions_is_in_it(shown: dict[str, Any]) -> None:
    for table, content in shown.items():
        assert "<DVC_METRIC" not in json.dumps(content)
        assert content["title"]["text"] == f"plots/{table}/face.csv"
        rows = content["data"]["values"]
        assert {row["rev"] for row in rows} == {"HEAD~1", "HEAD"}
        assert {row["variant"] for row in rows} == {"vgg16", "resnet18_scratch"}
        assert len(rows) == (4 if table in ("curves", "corruptions") else 16)


def test_fields_that_a_template_reads_are_in_the_tables(shown: dict[str, Any]) -> None:
    for content in shown.values():
        made = {"rev"} | set(content["data"]["values"][0])
        for step in content["transform"]:
            needed = set(step.get("fold", [])) | set(step.get("groupby", []))
            needed |= {inner["field"] for inner in step.get("aggregate", []) if "field" in inner}
            assert needed <= made, step
            names = step.get("as", [])
            made |= {names} if isinstance(names, str) else set(names)
            made |= {inner["as"] for key in ("aggregate", "joinaggregate", "window") for inner in step.get(key, [])}
        assert set(fields(content)) <= made


def fields(content: Any) -> list[str]:
    """Every field that an encoding or a facet names."""
    if isinstance(content, list):
        return [field for inner in content for field in fields(inner)]
    if not isinstance(content, dict):
        return []
    own = [content["field"]] if isinstance(content.get("field"), str) else []
    return own + [
        field for key, inner in content.items() if key not in ("data", "transform") for field in fields(inner)
    ]


def test_the_row_of_all_corruptions_fits_a_window(shown: dict[str, Any]) -> None:
    """Of 1,280 pixels, less the axis and the frame of the page."""
    content = shown["corruptions"]
    assert len(TITLES) * (content["spec"]["width"] + content["spacing"]["column"]) < 1150
    assert content["config"]["legend"]["orient"] == "top"
