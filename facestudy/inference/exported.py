"""An exported model, run by ONNX Runtime: faces in, calibrated probabilities out. No torch."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

# ONNX Runtime sends events to its maker, under an identifier that it keeps in the home folder, unless this is set
# before it is imported (its Privacy.md). Nothing leaves a machine here.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, NoSuchFile
from scipy.special import softmax

from facestudy.contracts.exports import FORMAT, ExportedMetadata
from facestudy.errors import StudyError

INPUT, OUTPUT = "pictures", "logits"
METADATA = "metadata"  # key of the metadata in the file
BATCH = 64


@dataclass(frozen=True)
class Exported:
    """A model file, open, and its metadata."""

    session: onnxruntime.InferenceSession
    metadata: ExportedMetadata

    @classmethod
    def load(cls, path: Path) -> "Exported":
        """Open a file that `export` wrote. Raises StudyError for any other, and for one of an older version."""
        try:
            session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
            texts = session.get_modelmeta().custom_metadata_map
            if json.loads(texts.get(METADATA, "{}")).get("format") != FORMAT:
                raise StudyError(
                    f"{path} was written by an older version (its metadata are not of format {FORMAT}); "
                    "run `dvc repro export`"
                )
            return cls(session, ExportedMetadata.model_validate_json(texts[METADATA]))
        except (Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, NoSuchFile, ValueError) as error:
            raise StudyError(
                f"{path} is no model that `export` wrote ({type(error).__name__}); run `dvc repro export`"
            ) from None

    def logits(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, K) logits of faces, uint8 (N, size, size, 3) in RGB."""
        batches = [faces[start : start + BATCH] for start in range(0, len(faces), BATCH)]
        logits = [self.session.run([OUTPUT], {INPUT: network_input(batch, self.metadata)})[0] for batch in batches]
        return np.concatenate([np.zeros((0, len(self.metadata.classes)), np.float32), *logits])

    def probabilities(self, faces: NDArray[np.uint8]) -> NDArray[np.float64]:
        """(N, K) probabilities, calibrated by the temperature that the validation pictures gave."""
        return np.asarray(softmax(self.logits(faces).astype(np.float64) / self.metadata.temperature, axis=1))


def network_input(faces: NDArray[np.uint8], metadata: ExportedMetadata) -> NDArray[np.float32]:
    """What the network takes, float32 (N, 3, size, size), of faces, uint8 (N, size, size, 3) in RGB."""
    mean, std = np.asarray(metadata.mean, np.float32), np.asarray(metadata.std, np.float32)
    scaled = (faces.astype(np.float32) / np.float32(255) - mean) / std
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))
