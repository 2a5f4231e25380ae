"""An exported model, run by ONNX Runtime: faces in, calibrated probabilities out. No torch."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facestudy.contracts.exports import FORMAT, ExportedMetadata
from facestudy.errors import StudyError
from facestudy.onnx_runtime import NO_MODEL, InferenceSession, open_session

INPUT, OUTPUT = "pictures", "logits"
METADATA = "metadata"  # key of the metadata in the file
BATCH = 64


@dataclass(frozen=True)
class Exported:
    """A model file, open, and its metadata."""

    session: InferenceSession
    metadata: ExportedMetadata

    @classmethod
    def load(cls, path: Path, threads: int = 0) -> "Exported":
        """Open a file that `export` wrote, for as many threads as `open_session` has them.

        Raises StudyError for any other file, and for one of an older version.
        """
        try:
            session = open_session(str(path), threads)
            texts = session.get_modelmeta().custom_metadata_map
            if json.loads(texts.get(METADATA, "{}")).get("format") != FORMAT:
                raise StudyError(
                    f"{path} was written by an older version (its metadata are not of format {FORMAT}); "
                    "run `dvc repro export`"
                )
            return cls(session, ExportedMetadata.model_validate_json(texts[METADATA]))
        except (*NO_MODEL, ValueError) as error:
            raise StudyError(
                f"{path} is no model that `export` wrote ({type(error).__name__}); run `dvc repro export`"
            ) from None

    def logits(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, K) logits of faces, uint8 (N, size, size, 3) in RGB."""
        batches = [faces[start : start + BATCH] for start in range(0, len(faces), BATCH)]
        logits = [self.session.run([OUTPUT], {INPUT: network_input(batch, self.metadata)})[0] for batch in batches]
        return np.concatenate([np.zeros((0, len(self.metadata.classes)), np.float32), *logits])

    def probabilities(self, faces: NDArray[np.uint8]) -> NDArray[np.float64]:
        """(N, K) probabilities, with the temperature that the validation pictures gave, or none where none helped."""
        logits = self.logits(faces).astype(np.float64) / self.metadata.temperature
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))  # SciPy's softmax takes 0.2 s to import
        return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def network_input(faces: NDArray[np.uint8], metadata: ExportedMetadata) -> NDArray[np.float32]:
    """What the network takes, float32 (N, 3, size, size), of faces, uint8 (N, size, size, 3) in RGB."""
    mean, std = np.asarray(metadata.mean, np.float32), np.asarray(metadata.std, np.float32)
    scaled = (faces.astype(np.float32) / np.float32(255) - mean) / std
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))
