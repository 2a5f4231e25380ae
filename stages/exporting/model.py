"""An exported model, run by ONNX Runtime: faces in, calibrated probabilities out. No torch."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, NoSuchFile
from scipy.special import softmax

from stages.errors import StudyError

INPUT, OUTPUT = "pictures", "logits"
BATCH = 64


@dataclass(frozen=True)
class Exported:
    """A model file and what its metadata says of it: classes, size, mean, std, temperature, preprocess and more."""

    session: onnxruntime.InferenceSession
    about: dict[str, Any]

    @classmethod
    def load(cls, path: Path) -> "Exported":
        """Open a file that `export` wrote. Raises StudyError for any other."""
        try:
            session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
            about = json.loads(session.get_modelmeta().custom_metadata_map["about"])
        except (Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, NoSuchFile, KeyError, ValueError) as error:
            raise StudyError(
                f"{path} is no model that `export` wrote ({type(error).__name__}); run `dvc repro export`"
            ) from None
        return cls(session, about)

    def logits(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, K) logits of faces, uint8 (N, size, size, 3) in RGB."""
        parts = [faces[start : start + BATCH] for start in range(0, len(faces), BATCH)]
        found = [self.session.run([OUTPUT], {INPUT: network_input(part, self.about)})[0] for part in parts]
        return np.concatenate([np.zeros((0, len(self.about["classes"])), np.float32), *found])

    def probabilities(self, faces: NDArray[np.uint8]) -> NDArray[np.float64]:
        """(N, K) probabilities, calibrated by the temperature that the validation pictures gave."""
        return np.asarray(softmax(self.logits(faces).astype(np.float64) / self.about["temperature"], axis=1))


def network_input(faces: NDArray[np.uint8], about: dict[str, Any]) -> NDArray[np.float32]:
    """What the network takes, float32 (N, 3, size, size), of faces, uint8 (N, size, size, 3) in RGB."""
    mean, std = (np.asarray(about[name], np.float32) for name in ("mean", "std"))
    scaled = (faces.astype(np.float32) / np.float32(255) - mean) / std
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))
