"""Exported models say what the trained ones say, in files that hold all that is needed to use them."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from stages import export as stage
from stages import paths
from stages.errors import StudyError
from stages.export import export
from stages.exporting.model import Exported
from stages.figures.results import read_json
from stages.training import checkpoints
from tests.exports import CLASSES, SIZE, VARIANTS, copy_exports


@pytest.fixture
def study(exports: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy_exports(exports, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("variant", VARIANTS)
def test_both_forms_are_checked_and_measured(study: Path, variant: str) -> None:
    found = read_json(paths.model_metrics("face", variant, 0) / "export.json")
    assert 0 < found["largest_probability_difference"] < 1e-4 and found["pictures"] == 20
    assert found["accuracy"]["onnx"] == found["accuracy"]["torch"]
    assert found["bytes"]["int8"] < found["bytes"]["onnx"] / 3
    timing = read_json(paths.model_metrics("face", variant, 0) / "export_timing.json")
    assert all(timing["latency_ms"][form] > 0 for form in ("torch", "onnx", "int8"))


def test_the_metadata_turns_a_photo_into_the_input(study: Path) -> None:
    for form in ("onnx", "int8"):
        model = Exported.load(paths.exported("emotion", "resnet18_scratch", 0, form))
        assert model.about["classes"] == CLASSES["emotion"] and model.about["size"] == SIZE
        assert model.about["temperature"] == 2.0 and model.about["preprocess"]["detector"] == "haar"
        faces = np.random.default_rng(1).integers(0, 256, (70, SIZE, SIZE, 3), dtype=np.uint8)
        probabilities = model.probabilities(faces)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1)
        halved = np.exp(model.logits(faces).astype(float) / 2)
        np.testing.assert_allclose(probabilities, halved / halved.sum(axis=1, keepdims=True), rtol=1e-6)
        assert model.probabilities(faces[:0]).shape == (0, 3)


def test_the_files_are_the_same_again_and_name_no_path(study: Path) -> None:
    files = [paths.exported("face", "resnet18_scratch", 0, form) for form in ("onnx", "int8")]
    before = [file.read_bytes() for file in files]
    export("face", "resnet18_scratch", "0")
    assert [file.read_bytes() for file in files] == before
    assert all(b"site-packages" not in content and str(study).encode() not in content for content in before)
    onnx.checker.check_model(files[0])


def test_probabilities_that_differ_are_refused(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "TOLERANCE", 1e-12)
    with pytest.raises(StudyError, match=r"0\.onnx: a probability differs from torch's by .* more than 1e-12"):
        export("face", "resnet18_scratch", "0")


def test_a_task_without_pictures_has_models_that_say_why(study: Path) -> None:
    checkpoints.save(paths.checkpoint("face", "resnet18_scratch", 0), {}, {"reason": "no picture has a label"})
    export("face", "resnet18_scratch", "0")
    assert read_json(paths.model_metrics("face", "resnet18_scratch", 0) / "export.json") == {
        "reason": "no picture has a label"
    }
    held = onnx.load(paths.exported("face", "resnet18_scratch", 0, "onnx")).metadata_props
    assert json.loads(held[0].value) == {"reason": "no picture has a label"}


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x07"])
def test_another_file_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(StudyError, match=r"model\.onnx is no model that `export` wrote"):
        Exported.load(tmp_path / "model.onnx")
