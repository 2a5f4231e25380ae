"""Copies among pictures, against a comparison of all with all."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from facestudy.photos.reading import UnreadablePicture
from facestudy.photos.similarity import MIN_CORRELATION, SIDE, Fingerprints, mirror

Rows = NDArray[np.float32]


def rows_of_faces(number: int, seed: int) -> Rows:
    """Rows that are alike, as those of faces are: mixtures of a few patterns, some mirrored, and noise."""
    generator = np.random.default_rng(seed)
    patterns = generator.standard_normal((12, SIDE * SIDE)).astype(np.float32)
    mixed = generator.standard_normal((number, 12)).astype(np.float32) @ patterns
    mixed += 0.5 * generator.standard_normal(mixed.shape).astype(np.float32)
    half = number // 2
    noise = generator.uniform(0, 2, (half, 1)) * generator.standard_normal((half, SIDE * SIDE))
    mixed[half : 2 * half] = np.where(
        np.arange(half)[:, None] % 8, mixed[half : 2 * half], mirror(mixed[:half]) + noise
    )
    mixed -= mixed.mean(axis=1, keepdims=True)
    return np.asarray(mixed / np.linalg.norm(mixed, axis=1, keepdims=True))


def compared(first: Rows, second: Rows) -> dict[tuple[int, int], float]:
    correlations = np.maximum(first @ second.T, first @ mirror(second).T)
    return {(int(i), int(j)): float(correlations[i, j]) for i, j in np.argwhere(correlations > MIN_CORRELATION)}


def fingerprints(rows: Rows, name: str) -> Fingerprints:
    return Fingerprints([f"{name}{row}" for row in range(len(rows))], rows)


@pytest.mark.parametrize("number", [1, 7, 1500, 2600])
def test_the_pairs_are_those_of_a_comparison_of_all_with_all(number: int) -> None:
    rows, others = rows_of_faces(number, 0), rows_of_faces(900, 1)
    others[: number // 9] = rows[: 9 * (number // 9) : 9][:900]
    expected = {pair: value for pair, value in compared(rows, rows).items() if pair[0] < pair[1]}
    found = fingerprints(rows, "a").copies()
    assert {(first, second) for first, second, _ in found} == set(expected)
    assert all(abs(value - min(expected[first, second], 0.9999)) < 1e-5 for first, second, value in found)
    assert found == sorted(found) and (number < 1000 or len(found) > 20)
    between = fingerprints(rows, "a").copies_in(fingerprints(others, "b"))
    assert {(first, second) for first, second, _ in between} == set(compared(rows, others))


def test_none_and_flat_pictures_are_no_copies() -> None:
    empty, flat = np.empty((0, SIDE * SIDE), np.float32), np.zeros((3, SIDE * SIDE), np.float32)
    assert not fingerprints(empty, "a").copies() and not fingerprints(flat, "a").copies()
    assert not fingerprints(empty, "a").copies_in(fingerprints(flat, "b"))
    assert Fingerprints(["same", "other", "same"], flat).copies() == [(0, 2, 1.0)]


def test_files_are_read_in_order_and_an_unreadable_one_is_named(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    files = [tmp_path / f"{number}.png" for number in range(40)]
    for file in files:
        Image.fromarray(generator.integers(0, 256, (40, 30, 3), dtype=np.uint8)).save(file)
    files[33].write_bytes(files[2].read_bytes())
    assert Fingerprints.of(files).copies() == [(2, 33, 1.0)]
    files[2].write_bytes(b"no picture")
    with pytest.raises(UnreadablePicture):
        Fingerprints.of(files)
    assert Fingerprints.of(files, max_megapixels=1).copies() == []
