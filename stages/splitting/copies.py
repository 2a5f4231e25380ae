"""Which pictures are copies of one another, exact or near."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stages.faces.reading import read

SIDE = 32  # pixels
SAME = 0.93  # correlation of grey pixels above which two photos are taken for one (docs/leaks.md)
ANY_SIZE = np.inf  # the pictures were read once, under the limit of params.yaml
NEARLY = 0.9999  # the most that a near copy is said to have
BLOCK = 1024  # rows compared at a time; a whole matrix of 13,000 pictures would take 680 MB


@dataclass(frozen=True)
class Looks:
    """What N pictures look like: a digest of all pixels, and grey pixels at 32 x 32 (N, 1024), mean 0 and length 1."""

    digests: list[str]
    grey: NDArray[np.float32]

    @classmethod
    def of(cls, files: Sequence[Path]) -> "Looks":
        """Read the files one by one."""
        digests, rows = [], []
        for file in files:
            pixels = read(file, ANY_SIZE)
            digests.append(hashlib.sha256(str(pixels.shape).encode() + pixels.tobytes()).hexdigest())
            rows.append(grey(pixels))
        return cls(digests, np.stack(rows) if rows else np.empty((0, SIDE * SIDE), np.float32))

    def copies(self) -> list[tuple[int, int, float]]:
        """Pairs (first, second, correlation) of pictures that look the same, or do mirrored; exact copies have 1."""
        found = []
        mirrored = mirror(self.grey)
        codes = np.unique(self.digests, return_inverse=True)[1]
        for start in range(0, len(self.grey), BLOCK):
            block = self.grey[start : start + BLOCK]
            likeness = np.maximum(block @ self.grey[start:].T, block @ mirrored[start:].T)
            exact = codes[start : start + BLOCK, None] == codes[None, start:]
            for row, column in np.argwhere((likeness > SAME) | exact):
                if row < column:
                    correlation = 1.0 if exact[row, column] else min(float(likeness[row, column]), NEARLY)
                    found.append((int(row) + start, int(column) + start, correlation))
        return found


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
