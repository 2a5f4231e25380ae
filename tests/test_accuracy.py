"""One model has one accuracy: in its history, its scores, its exports and their metadata, whatever the precision."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax

from facestudy.contracts.exports import ExportReport
from facestudy.contracts.scores import Scores
from facestudy.csv_writer import write_csv
from facestudy.exports.exported import Exported
from facestudy.models import checkpoints
from facestudy.models.metadata import WeightsMetadata
from facestudy.project import paths
from facestudy.project.files import read_json
from stages.evaluate import evaluate
from stages.export import export
from stages.train import train
from tests.inputs import write_params, write_preparation

TRAIN, VALIDATION = 40, 160


def pack_near_ties() -> None:
    """A face task of noise, of which nothing can be learned: many pictures lie near the border between the classes."""
    folder, count = paths.prepared("face"), TRAIN + VALIDATION
    folder.mkdir(parents=True)
    np.save(folder / "images.npy", np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8))
    table = pd.DataFrame({"file": [f"{number}.png" for number in range(count)]})
    split = np.where(np.arange(count) < TRAIN, "train", "validation")
    write_csv(folder / "index.csv", table.assign(label=["other", "target"] * (count // 2), split=split))
    write_csv(paths.RAW / "index.csv", table.assign(person=""))
    write_preparation("face")


@pytest.mark.slow
# With a cache of frozen features, and without.
@pytest.mark.parametrize(("variant", "rule"), [("vgg16", "last"), ("resnet18_scratch", "best")])
def test_a_model_trained_in_bf16_has_one_accuracy(
    variant: str, rule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    changes = {"precision": "bf16-mixed", "epochs.face": 3, "lr": 0.0001}
    changes = {f"variants.{variant}.{key}": value for key, value in changes.items()}
    changes |= {"variants.vgg16.head": "pooled"}  # 32 pixels leave one cell of features
    write_params(tmp_path, {**changes, "training.epoch": rule, "challenges.strengths": [1]})
    pack_near_ties()
    checkpoints.save(paths.initial_weights(variant), {}, WeightsMetadata(arch="any", origin="random weights"))
    for stage in (train, evaluate, export):
        stage("face", variant, 0)

    metrics = paths.model_metrics("face", variant, 0)
    scores = read_json(metrics / "scores.json", Scores)
    history = pd.read_csv(metrics / "history.csv").set_index("epoch")
    exported = Exported.load(paths.exported("face", variant, 0, "onnx"))
    report = read_json(paths.export_report("face", variant, 0), ExportReport)
    assert history["val_accuracy"][scores.epoch.kept] == scores.accuracy
    assert report.accuracy["torch"] == report.accuracy["onnx"] == scores.accuracy
    assert exported.metadata.validation_accuracy == scores.accuracy

    predictions = pd.read_csv(metrics / "predictions.csv")
    images = np.load(paths.prepared("face") / "images.npy")[TRAIN:]
    probabilities = softmax(exported.logits(images).astype(float), axis=1)
    np.testing.assert_allclose(predictions[["p_other", "p_target"]].to_numpy(), probabilities, atol=1e-4)
