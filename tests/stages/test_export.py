"""Exported models say what the trained ones say, in files that hold all that is needed to use them."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnxruntime import InferenceSession, SessionOptions

from facestudy.contracts.exports import ExportReport, ExportTiming
from facestudy.errors import StudyError
from facestudy.exports import conversion
from facestudy.exports.exported import Exported
from facestudy.models import checkpoints
from facestudy.models.metadata import EmptyMetadata
from facestudy.project import paths
from facestudy.project.files import Unavailable, read_json, read_result
from facestudy.project.parameters import load
from stages import export as stage
from stages.export import export
from tests.exports import CLASSES, SIZE, TEMPERATURE, copy_exports

REASON = "no picture has a label"


@pytest.fixture
def study(exports: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy_exports(exports, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("task", CLASSES)
def test_both_forms_are_checked_and_measured(study: Path, task: str) -> None:
    report = read_json(paths.export_report(task, "resnet18_scratch", 0), ExportReport)
    assert 0 < report.largest_probability_difference < 1e-4 and report.pictures == 20
    assert report.accuracy["onnx"] == report.accuracy["torch"]
    assert report.bytes["int8"] < report.bytes["onnx"] / 3
    timing = read_json(paths.timing(task, "resnet18_scratch", 0, "export"), ExportTiming)
    assert all(timing.latency_ms[form] > 0 for form in ("torch", "onnx", "int8"))


def test_the_metadata_turn_a_photo_into_the_input(study: Path) -> None:
    for form in ("onnx", "int8"):
        model = Exported.load(paths.exported("emotion", "resnet18_scratch", 0, form))
        metadata = model.metadata
        assert metadata.classes == CLASSES["emotion"] and metadata.size == SIZE
        assert metadata.temperature == TEMPERATURE and metadata.preprocess == load().preprocess
        faces = np.random.default_rng(1).integers(0, 256, (70, SIZE, SIZE, 3), dtype=np.uint8)
        probabilities = model.probabilities(faces)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1)
        divided = np.exp(model.logits(faces).astype(float) / TEMPERATURE)
        np.testing.assert_allclose(probabilities, divided / divided.sum(axis=1, keepdims=True), rtol=1e-6)
        assert model.probabilities(faces[:0]).shape == (0, 3)


def test_the_files_are_the_same_again_and_name_no_path(study: Path) -> None:
    files = [paths.exported("face", "resnet18_scratch", 0, form) for form in ("onnx", "int8")]
    before = [file.read_bytes() for file in files]
    export("face", "resnet18_scratch", 0)
    assert [file.read_bytes() for file in files] == before
    assert all(b"site-packages" not in content and str(study).encode() not in content for content in before)
    onnx.checker.check_model(files[0])


def test_every_form_computes_on_as_many_threads_as_the_timing_says(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    convert_nothing(monkeypatch)
    opened: list[Exported] = []

    def load_and_note(path: Path, threads: int = 0) -> Exported:
        opened.append(load_model(path, threads))
        return opened[-1]

    load_model = Exported.load
    monkeypatch.setattr(Exported, "load", load_and_note)
    export("face", "resnet18_scratch", 0)
    timing = read_json(paths.timing("face", "resnet18_scratch", 0, "export"), ExportTiming)
    assert [each.session.get_session_options().intra_op_num_threads for each in opened] == [timing.threads] * 2


def test_calibration_too_computes_on_torchs_number_of_threads(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []

    def open_and_note(path: str, options: SessionOptions, providers: list[str]) -> InferenceSession:
        threads.append(options.intra_op_num_threads)
        return InferenceSession(path, options, providers)

    monkeypatch.setattr(conversion, "InferenceSession", open_and_note)
    file = paths.exported("face", "resnet18_scratch", 0, "onnx")
    conversion.to_int8(onnx.load(file), np.zeros((2, SIZE, SIZE, 3), np.uint8), Exported.load(file).metadata)
    assert threads == [torch.get_num_threads()]


def convert_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Conversions take seconds; here they give the models that the study has."""
    for name, form in (("to_onnx", "onnx"), ("to_int8", "int8")):
        model = onnx.load(paths.exported("face", "resnet18_scratch", 0, form))
        monkeypatch.setattr(stage, name, lambda *_, model=model: model)


def test_probabilities_that_differ_are_refused(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "TOLERANCE", 1e-12)
    convert_nothing(monkeypatch)
    with pytest.raises(StudyError, match=r"0\.onnx: a probability differs from torch's by .* more than 1e-12"):
        export("face", "resnet18_scratch", 0)


def test_a_task_without_pictures_has_models_that_say_why(study: Path) -> None:
    checkpoints.save(paths.checkpoint("face", "resnet18_scratch", 0), {}, EmptyMetadata(reason=REASON))
    export("face", "resnet18_scratch", 0)
    report = read_result(paths.export_report("face", "resnet18_scratch", 0), ExportReport)
    assert report == Unavailable(reason=REASON)
    (held,) = onnx.load(paths.exported("face", "resnet18_scratch", 0, "onnx")).metadata_props
    assert json.loads(held.value) == {"format": 1, "reason": REASON}


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x07"])
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(StudyError, match=r"model\.onnx is no model that `export` wrote"):
        Exported.load(tmp_path / "model.onnx")


def test_a_file_of_an_older_version_is_refused(study: Path) -> None:
    path = paths.exported("face", "resnet18_scratch", 0, "onnx")
    model = onnx.load(path)
    metadata = json.loads(model.metadata_props[0].value)
    del metadata["format"]
    for key in ("about", "metadata"):
        onnx.helper.set_model_props(model, {key: json.dumps(metadata)})
        onnx.save(model, path.with_name("older.onnx"))
        with pytest.raises(StudyError, match=r"older\.onnx was written by an older version .* `dvc repro export`"):
            Exported.load(path.with_name("older.onnx"))
