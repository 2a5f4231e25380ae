"""A fourth variant and a third task, as docs/your-photos.md says: through params.yaml alone."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml

from facestudy.contracts.exports import ExportReport
from facestudy.contracts.scores import Scores
from facestudy.csv_writer import write_csv
from facestudy.project import paths
from facestudy.project.files import read_json
from facestudy.project.parameters import load
from facestudy.synthetic.photo_sets import collect_pretraining
from stages.check import check
from stages.download import download
from stages.evaluate import evaluate
from stages.export import export
from stages.initial_weights import initial_weights
from stages.preprocess import preprocess
from stages.split import split
from stages.train import train
from tests.inputs import ROOT, pack_noise, write_params


@pytest.fixture(autouse=True)
def quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "disabled")


def documented(section: str) -> dict[str, dict[str, object]]:
    """The YAML that a section of docs/your-photos.md shows."""
    text = (ROOT / "docs" / "your-photos.md").read_text(encoding="utf-8").split(f"## {section}")[1]
    shown: dict[str, dict[str, object]] = yaml.safe_load(text.split("```yaml")[1].split("```")[0])
    return shown


@pytest.mark.slow
@pytest.mark.parametrize("arch", ["mobilenet_v3_small", "efficientnet_b0", "vit_b_16"])
def test_any_classifier_of_torchvision_is_a_variant(tmp_path: Path, arch: str) -> None:
    shown = documented("A fourth variant")
    (architecture,) = shown["weights"]["architectures"].values()  # type: ignore[attr-defined]
    (own,) = shown["variants"].values()
    write_params(tmp_path, {})
    from_scratch = load().variants["resnet18_scratch"].model_dump()
    own = {**from_scratch, **own, "arch": arch, "epochs": {"face": 1, "emotion": 1}}  # type: ignore[dict-item]
    write_params(
        tmp_path, {f"weights.architectures.{arch}": architecture, "variants.own": own, "challenges.strengths": [5]}
    )
    for name in ("photos", "pretrain-photos"):
        (tmp_path / "data" / name).mkdir(parents=True)
    check()
    pack_noise(40, train=28)
    write_csv(paths.RAW / "index.csv", pd.DataFrame({"file": [f"{number}.png" for number in range(40)], "person": ""}))
    initial_weights("own")
    train("face", "own", 0)
    evaluate("face", "own", 0)
    export("face", "own", 0)
    scores = read_json(paths.model_metrics("face", "own", 0) / "scores.json", Scores)
    exported = read_json(paths.export_report("face", "own", 0), ExportReport)
    assert scores.pictures == exported.pictures == 12 and scores.settings["arch"] == arch


@pytest.mark.slow
def test_a_third_task_is_trained_from_class_folders(tmp_path: Path) -> None:
    drawn = collect_pretraining(60, 240, ["happy"], 96, 0, tmp_path / "drawn")
    glasses = drawn["occlusion"] == "sunglasses"
    chosen = {"yes": drawn["file"][glasses], "no": drawn["file"][drawn["occlusion"] == "none"][: 2 * glasses.sum()]}
    assert len(chosen["yes"]) >= 5
    for label, files in chosen.items():
        (tmp_path / "data" / "photos" / "glasses" / label).mkdir(parents=True)
        for file in files:
            shutil.copyfile(tmp_path / "drawn" / file, tmp_path / "data" / "photos" / "glasses" / label / file)
    (tmp_path / "data" / "pretrain-photos").mkdir()
    shown = documented("A third task")
    changes = {"data.source": "folder", "tasks.glasses": shown["tasks"]["glasses"], "preprocess.size": 32}
    changes["variants.vgg16.head"] = "pooled"  # 32 pixels leave one cell of features
    changes["data.folder.columns"] = shown["data"]["folder"]["columns"]  # type: ignore[index]
    write_params(tmp_path, changes)
    text = yaml.safe_load((tmp_path / "params.yaml").read_text(encoding="utf-8"))
    for name in text["variants"]:
        changes[f"variants.{name}.epochs.glasses"] = 2
    write_params(tmp_path, changes)
    check()
    download()
    split("glasses")
    preprocess("glasses")
    initial_weights("resnet18_scratch")
    train("glasses", "resnet18_scratch", 0)
    evaluate("glasses", "resnet18_scratch", 0)
    scores = read_json(paths.model_metrics("glasses", "resnet18_scratch", 0) / "scores.json", Scores)
    assert scores.classes == ["other", "yes"] and scores.positive == "yes"
    assert scores.pictures == pytest.approx(0.2 * sum(map(len, chosen.values())), abs=2)
