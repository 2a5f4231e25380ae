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

from facestudy.contracts.corruptions import COMPARED
from tests.study_maker import ROOT

TABLES = {
    "curves": "curves",
    "confusion": "confusion_counts",
    "confusion_zscore": "confusion_zscore",
    "corruptions": "corruptions",
}


def tables(folder: Path, share: float) -> None:
    """The tables of a task as compare writes them: two variants, two classes, one epoch, one kind of corruption."""
    folder.mkdir(parents=True, exist_ok=True)
    models = [("vgg16", 0), ("resnet18_scratch", 0)]
    curves = pd.DataFrame(models, columns=["variant", "seed"])
    curves.assign(epoch=1, train_loss=0.5, train_accuracy=share, val_loss=0.6, val_accuracy=share).to_csv(
        folder / "curves.csv", index=False
    )
    values = (share, share - 0.1, share + 0.1)
    outcomes = curves.assign(kind="blur", strength=5, **dict(zip(COMPARED[2:], values, strict=True)))
    outcomes.to_csv(folder / "corruptions.csv", index=False)
    rows = [(*model, truth, prediction) for model in models for truth in "ab" for prediction in "ab"]
    cells = pd.DataFrame(rows, columns=["variant", "seed", "truth", "prediction"])
    cells.assign(count=7).to_csv(folder / "confusion.csv", index=False)
    cells.assign(zscore=share).to_csv(folder / "confusion_zscore.csv", index=False)


def call(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `dvc plots diff` of two commits gives, by the name of the table."""
    folder = tmp_path_factory.mktemp("repository")
    plots = "".join(
        f"      - plots/face/{table}.csv: {{cache: false, template: {template}}}\n"
        for table, template in TABLES.items()
    )
    with chdir(folder):
        call("git", "init", "-q")
        call(sys.executable, "-m", "dvc", "init", "-q")
        copytree(ROOT / ".dvc" / "plots", folder / ".dvc" / "plots")
        Path("dvc.yaml").write_text(f"stages:\n  plot:\n    cmd: 'true'\n    plots:\n{plots}")
        for share in (0.25, 0.75):
            tables(Path("plots/face"), share)
            call("git", "add", "-A")
            call("git", "-c", "user.name=a", "-c", "user.email=a@localhost", "commit", "-q", "-m", "commit")
        output = json.loads(call(sys.executable, "-m", "dvc", "plots", "diff", "HEAD~1", "HEAD", "--json"))
    assert "errors" not in output
    return {Path(name).stem: content[0]["content"] for name, content in output["data"].items()}


def test_every_anchor_is_filled_and_every_row_of_both_revisions_is_in_it(shown: dict[str, Any]) -> None:
    assert set(shown) == set(TABLES)
    for table, content in shown.items():
        assert "<DVC_METRIC" not in json.dumps(content)
        assert content["title"]["text"] == f"plots/face/{table}.csv"
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
