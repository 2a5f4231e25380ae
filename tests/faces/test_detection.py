import hashlib
from pathlib import Path

import pytest

from facestudy.errors import StudyError
from facestudy.faces.detection import detector_for
from facestudy.project.sections import OwnFile, Preprocess


def with_file(settings: Preprocess, path: Path | None, sha256: str | None) -> Preprocess:
    file = OwnFile(path=None if path is None else str(path), sha256=sha256)
    return settings.model_copy(update={"detector": "yunet", "detector_file": file})


@pytest.mark.parametrize("name", ["centerface", "haar"])
def test_the_detector_that_is_named_is_the_one(name: str, settings: Preprocess) -> None:
    named = settings.model_copy(update={"detector": name})
    assert type(detector_for(named)).__name__.lower() == name


def test_a_users_file_that_is_missing_is_named_with_its_key(settings: Preprocess, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"preprocess\.detector_file\.path is null"):
        detector_for(with_file(settings, None, None))
    with pytest.raises(StudyError, match=r"preprocess\.detector_file\.path is .*nowhere.onnx, which is not there"):
        detector_for(with_file(settings, tmp_path / "nowhere.onnx", None))


def test_another_file_under_the_same_name_does_not_go_unnoticed(settings: Preprocess, tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(b"one model")
    digest = hashlib.sha256(b"one model").hexdigest()
    with pytest.raises(StudyError, match=f"paste it:\n  sha256: {digest}"):
        detector_for(with_file(settings, file, None))
    file.write_bytes(b"another model")
    with pytest.raises(StudyError, match=rf"detector_file\.sha256 is {digest}, the file .* has this one"):
        detector_for(with_file(settings, file, digest))


def test_a_file_that_is_no_yunet_is_named(settings: Preprocess, tmp_path: Path) -> None:
    file = tmp_path / "broken.onnx"
    file.write_bytes(b"no model")
    with pytest.raises(StudyError, match=r"preprocess\.detector_file: .*broken.onnx is no YuNet model"):
        detector_for(with_file(settings, file, hashlib.sha256(b"no model").hexdigest()))
