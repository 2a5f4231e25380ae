"""Which pictures are copies of one another, exact or near."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facestudy.photos.reading import read

SIDE = 32  # pixels
MIN_CORRELATION = 0.93  # of grey pixels, above which two photos count as copies (docs/leaks.md)
MAX_NEAR_CORRELATION = 0.9999  # that a near copy is reported with; 1 is for exact copies
NO_LIMIT = np.inf  # megapixels: the download has read these pictures under data.max_megapixels
BLOCK = 1024  # rows compared at a time; a whole matrix of 13,000 pictures would take 680 MB


@dataclass(frozen=True)
class Fingerprints:
    """Of N pictures: a digest of all pixels of each, and grey pixels at 32 x 32 (N, 1024), mean 0 and length 1."""

    digests: list[str]
    grey: NDArray[np.float32]

    @classmethod
    def of(cls, files: Sequence[Path]) -> "Fingerprints":
        """Read the files one by one; raises UnreadablePicture."""
        digests, rows = [], [np.empty((0, SIDE * SIDE), np.float32)]
        for file in files:
            pixels = read(file, NO_LIMIT)
            digests.append(hashlib.sha256(str(pixels.shape).encode() + pixels.tobytes()).hexdigest())
            rows.append(grey(pixels)[None])
        return cls(digests, np.concatenate(rows))

    def copies(self) -> list[tuple[int, int, float]]:
        """Pairs (first, second, correlation) of pictures that look the same, or do mirrored; exact copies have 1."""
        pairs = []
        mirrored = mirror(self.grey)
        codes = np.unique(self.digests, return_inverse=True)[1]
        for start in range(0, len(self.grey), BLOCK):
            block = self.grey[start : start + BLOCK]
            correlations = np.maximum(block @ self.grey[start:].T, block @ mirrored[start:].T)
            exact = codes[start : start + BLOCK, None] == codes[None, start:]
            for row, column in np.argwhere((correlations > MIN_CORRELATION) | exact):
                if row < column:
                    near = min(float(correlations[row, column]), MAX_NEAR_CORRELATION)
                    pairs.append((int(row) + start, int(column) + start, 1.0 if exact[row, column] else near))
        return pairs


def mirror(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of grey pixels (N, 1024), left and right exchanged."""
    return rows.reshape(len(rows), SIDE, SIDE)[:, :, ::-1].reshape(rows.shape)


def grey(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Grey pixels (1024,) of mean 0 and length 1, so that a product of two is their correlation."""
    image = Image.fromarray(pixels).convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    values = np.asarray(image, dtype=np.float32).ravel()
    values = values - values.mean(dtype=np.float64).astype(np.float32)
    length = np.float32(max(float(np.linalg.norm(values)), 1e-6))
    return np.asarray(values / length, dtype=np.float32)
