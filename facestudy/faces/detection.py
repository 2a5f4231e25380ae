"""The detector that `preprocess` names."""

import hashlib
from pathlib import Path

from facestudy.errors import StudyError
from facestudy.faces.face import Detector
from facestudy.project.sections import OwnFile, Preprocess


def detector_for(settings: Preprocess) -> Detector:
    """Serves one thread. Raises StudyError that says what to install or which key to set where it cannot be had."""
    # Each module brings a library or a model with it, for those who name it.
    if settings.detector == "haar":
        from facestudy.faces.haar import Haar  # noqa: PLC0415

        return Haar(settings.haar)
    if settings.detector == "yunet":
        from facestudy.faces.yunet import YuNet  # noqa: PLC0415

        return YuNet(_checked(settings.detector_file))
    from facestudy.faces.centerface import CenterFace  # noqa: PLC0415

    return CenterFace()


def _checked(file: OwnFile) -> Path:
    """The user's file; its hash stands in params.yaml, or another model under its name would go unnoticed."""
    key = "preprocess.detector_file"
    if file.path is None or not Path(file.path).is_file():
        problem = "null" if file.path is None else f"{file.path}, which is not there"
        raise StudyError(
            f"{key}.path is {problem}, but preprocess.detector is yunet: give the path of its ONNX file "
            "(face_detection_yunet_*.onnx from the OpenCV Zoo), or set preprocess.detector: centerface"
        )
    path = Path(file.path)
    actual = hashlib.sha256(path.read_bytes()).hexdigest()
    if file.sha256 != actual:
        raise StudyError(f"{key}.sha256 is {file.sha256}, the file {path} has this one; paste it:\n  sha256: {actual}")
    return path
