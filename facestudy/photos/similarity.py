"""Which pictures are copies of one another, exact or near."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from joblib import Parallel, cpu_count, delayed
from numpy.typing import NDArray
from PIL import Image

from facestudy.photos.reading import UnreadablePicture, read

SIDE = 32  # pixels
MIN_CORRELATION = 0.93  # of grey pixels, above which two photos count as copies (docs/leaks.md)
MAX_NEAR_CORRELATION = 0.9999  # that a near copy is reported with; 1 is for exact copies
NO_LIMIT = np.inf  # megapixels: for the study's pictures, which the download has read under data.max_megapixels
READERS = 8  # photos in memory at a time, at most
BLOCK = 1024  # rows compared with as many at a time: what a processor's cache holds
COMPONENTS = 32  # of each half of the pictures
SAMPLED = 4096  # rows, at least, that the components are computed from
SLACK = 1e-4  # more than rounding adds to a correlation


@dataclass(frozen=True)
class Fingerprints:
    """Of N pictures: a digest of all pixels of each, and grey pixels at 32 x 32 (N, 1024), mean 0 and length 1."""

    digests: list[str]
    grey: NDArray[np.float32]

    @classmethod
    def of(cls, files: Sequence[Path], max_megapixels: float | None = None) -> "Fingerprints":
        """Read the files, on all cores.

        Raises UnreadablePicture. With `max_megapixels` it does not: a picture that is unreadable or larger is then a
        copy of no other.
        """
        threads = int(os.environ.get("OMP_NUM_THREADS", "") or cpu_count())  # as `facestudy run` shares them out
        pool = Parallel(n_jobs=min(threads, READERS), backend="threading", return_as="generator", batch_size=16)
        rows = np.empty((len(files), SIDE * SIDE), np.float32)
        digests = []
        for row, (digest, pixels) in enumerate(pool(delayed(_read)(file, max_megapixels) for file in files)):
            digests.append(digest)
            rows[row] = pixels
        return cls(digests, rows)

    def copies(self) -> list[tuple[int, int, float]]:
        """Pairs (first, second, correlation) of pictures that look the same, or do mirrored; exact copies have 1."""
        return self.copies_in(self)

    def copies_in(self, other: "Fingerprints") -> list[tuple[int, int, float]]:
        """As `copies`, but the second of a pair is one of the `other` pictures."""
        pairs = _near(self.grey, other.grey)
        pairs |= dict.fromkeys(_equal(self.digests, other.digests), 1.0)
        if other is self:
            pairs = {(min(pair), max(pair)): correlation for pair, correlation in pairs.items() if pair[0] != pair[1]}
        return [(first, second, correlation) for (first, second), correlation in sorted(pairs.items())]


def _read(file: Path, max_megapixels: float | None) -> tuple[str, NDArray[np.float32]]:
    """The digest and the grey pixels of a file, as in `Fingerprints.of`."""
    try:
        pixels = read(file, NO_LIMIT if max_megapixels is None else max_megapixels)
    except UnreadablePicture:
        if max_megapixels is None:
            raise
        return str(file), np.zeros(SIDE * SIDE, np.float32)
    return hashlib.sha256(str(pixels.shape).encode() + pixels.tobytes()).hexdigest(), grey(pixels)


def _equal(first: Sequence[str], second: Sequence[str]) -> Iterator[tuple[int, int]]:
    where = defaultdict(list)
    for column, digest in enumerate(second):
        where[digest].append(column)
    return ((row, column) for row, digest in enumerate(first) for column in where[digest])


def _near(first: NDArray[np.float32], second: NDArray[np.float32]) -> dict[tuple[int, int], float]:
    """The correlation of each pair above MIN_CORRELATION, of rows of grey pixels (N, 1024) and (M, 1024).

    Exact, and faster than a search of all pairs or an index of neighbours (docs/benchmarks.md): a picture x is split
    into its part s that a mirror leaves as it is and its part a that changes sign there, so that the larger of the two
    correlations is s.s' + |a.a'|. On the first principal components of both parts, with what they leave out as one
    further coordinate r, this sum plus r r' is an upper bound (Cauchy-Schwarz), and few pairs are above it.
    """
    if not len(first) or not len(second):
        return {}
    ends = [_halves(first)] * 2 if first is second else [_halves(first), _halves(second)]
    bases = [_components(half) for half in ends[1]]
    (own_s, own_a, own), (other_s, other_a, others) = (_projected(halves, bases) for halves in ends)
    reach = np.sqrt(2 - 2 * (MIN_CORRELATION - SLACK))  # the distance of two rows at least so correlated
    found: dict[tuple[int, int], float] = {}
    for start in range(0, len(own), BLOCK):
        rows = slice(start, start + BLOCK)
        low, high = np.searchsorted(other_s[:, 0], (own_s[rows, 0].min() - reach, own_s[rows, 0].max() + reach))
        for begin in range(start if first is second else low, high, BLOCK):  # of one set, each pair once
            columns = slice(begin, min(begin + BLOCK, high))
            bound = np.abs(own_a[rows] @ other_a[columns].T)
            bound += own_s[rows] @ other_s[columns].T
            row, column = np.divmod(np.flatnonzero(bound > MIN_CORRELATION - SLACK), bound.shape[1])
            row, column = own[rows][row], others[columns][column]
            correlation = _correlations(ends, row, column)
            for pair in np.flatnonzero(correlation > MIN_CORRELATION):
                near = min(float(correlation[pair]), MAX_NEAR_CORRELATION)
                found[int(row[pair]), int(column[pair])] = near
    return found


def _correlations(ends: list["Halves"], row: NDArray[np.intp], column: NDArray[np.intp]) -> NDArray[np.float32]:
    """The larger of the two correlations of pairs, some at a time: there may be as many as there are pairs."""
    found = np.empty(len(row), np.float32)
    for begin in range(0, len(row), BLOCK):
        some = slice(begin, begin + BLOCK)
        symmetric, mirrored = (
            np.einsum("ij,ij->i", one[row[some]], other[column[some]]) for one, other in zip(*ends, strict=True)
        )
        found[some] = symmetric + np.abs(mirrored)
    return found


Halves = tuple[NDArray[np.float32], NDArray[np.float32]]


def _halves(rows: NDArray[np.float32]) -> Halves:
    """Of rows of grey pixels (N, 1024): what a mirror leaves, and what changes sign there, each (N, 512)."""
    pictures = rows.reshape(len(rows), SIDE, SIDE)
    left, right = pictures[:, :, : SIDE // 2], pictures[:, :, : SIDE // 2 - 1 : -1]
    scale = np.float32(0.5**0.5)
    return ((left + right) * scale).reshape(len(rows), -1), ((left - right) * scale).reshape(len(rows), -1)


def _components(half: NDArray[np.float32]) -> NDArray[np.float32]:
    """Orthonormal columns (512, COMPONENTS) that hold most of what lies in some of the rows."""
    some = half[:: max(1, len(half) // SAMPLED)]
    return np.asarray(np.linalg.eigh(some.T @ some)[1][:, -COMPONENTS:], dtype=np.float32)


def _projected(
    halves: Halves, bases: list[NDArray[np.float32]]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.intp]]:
    """The coordinates of both halves, the first with the length of what they leave out; and the rows, in their order.

    They are sorted by the first coordinate, that of the largest component.
    """
    symmetric, mirrored = (half @ basis for half, basis in zip(halves, bases, strict=True))
    left_out = sum((half**2).sum(axis=1) for half in halves) - (symmetric**2).sum(axis=1) - (mirrored**2).sum(axis=1)
    symmetric = np.column_stack([symmetric[:, ::-1], np.sqrt(np.maximum(left_out, 0))])
    order = np.argsort(symmetric[:, 0], kind="stable")
    return symmetric[order], mirrored[order], order


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
