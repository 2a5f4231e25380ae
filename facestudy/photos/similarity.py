"""Which pictures are copies of one another, exact or near."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facestudy.photos.reading import UnreadablePicture, read

SIDE = 32  # pixels
MIN_CORRELATION = 0.93  # of grey pixels, above which two photos count as copies (docs/leaks.md)
MAX_NEAR_CORRELATION = 0.9999  # that a near copy is reported with; 1 is for exact copies
NO_LIMIT = np.inf  # megapixels: for the study's pictures, which the download has read under data.max_megapixels
BLOCK = 1024  # rows compared at a time; a whole matrix of 13,000 pictures would take 680 MB


@dataclass(frozen=True)
class Fingerprints:
    """Of N pictures: a digest of all pixels of each, and grey pixels at 32 x 32 (N, 1024), mean 0 and length 1."""

    digests: list[str]
    grey: NDArray[np.float32]

    @classmethod
    def of(cls, files: Sequence[Path], max_megapixels: float | None = None) -> "Fingerprints":
        """Read the files one by one.

        Raises UnreadablePicture. With `max_megapixels` it does not: a picture that is unreadable or larger is then a
        copy of no other.
        """
        digests, rows = [], [np.empty((0, SIDE * SIDE), np.float32)]
        for file in files:
            try:
                pixels = read(file, NO_LIMIT if max_megapixels is None else max_megapixels)
            except UnreadablePicture:
                if max_megapixels is None:
                    raise
                digests.append(str(file))
                rows.append(np.zeros((1, SIDE * SIDE), np.float32))
                continue
            digests.append(hashlib.sha256(str(pixels.shape).encode() + pixels.tobytes()).hexdigest())
            rows.append(grey(pixels)[None])
        return cls(digests, np.concatenate(rows))

    def copies(self) -> list[tuple[int, int, float]]:
        """Pairs (first, second, correlation) of pictures that look the same, or do mirrored; exact copies have 1."""
        return [(first, second, correlation) for first, second, correlation in self._pairs(self) if first < second]

    def copies_in(self, other: "Fingerprints") -> list[tuple[int, int, float]]:
        """As `copies`, but the second of a pair is one of the `other` pictures."""
        return list(self._pairs(other))

    def _pairs(self, other: "Fingerprints") -> Iterator[tuple[int, int, float]]:
        mirrored = mirror(other.grey)
        codes = np.unique([*self.digests, *other.digests], return_inverse=True)[1]
        own_codes, other_codes = codes[: len(self.digests)], codes[len(self.digests) :]
        for start in range(0, len(self.grey), BLOCK):
            block = self.grey[start : start + BLOCK]
            first = start if other is self else 0  # the pairs before it were seen from the other side
            correlations = np.maximum(block @ other.grey[first:].T, block @ mirrored[first:].T)
            exact = own_codes[start : start + BLOCK, None] == other_codes[None, first:]
            for row, column in np.argwhere((correlations > MIN_CORRELATION) | exact):
                near = min(float(correlations[row, column]), MAX_NEAR_CORRELATION)
                yield int(row) + start, int(column) + first, 1.0 if exact[row, column] else near


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
