"""All pictures of a set in one array file, found, cut and resized on every core."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from stages.faces import crop
from stages.faces.detect import Face, detector_for
from stages.faces.reading import UnreadablePicture, read
from stages.params import Preprocess

CHUNK = 64  # pictures of a work item: loading the cascade, 11 ms, happens once in each


class Row(NamedTuple):
    """What became of one picture."""

    found: str  # one | none | several; empty where it could not be read
    taken: str  # crop | whole | leave_out
    unreadable: str  # why it could not be read, or empty


def pack(
    pictures: Sequence[Path], settings: Preprocess, max_megapixels: float, target: Path, threads: int = -1
) -> pd.DataFrame:
    """Write the array file `target` and return a row per picture, in the order given.

    The file is an .npy, uint8 (N, size, size, 3) in RGB, of the N pictures that are not left out, in
    their order; it is filled in place, so that the array never stands in memory. The table has the
    columns of `Row`. The result does not depend on the number of `threads` (-1: one per core). Raises
    StudyError where the detector cannot be had.
    """
    detector_for(settings)  # its faults, before any work
    threads_within = cv2.getNumThreads()
    cv2.setNumThreads(1)  # pictures run side by side; within one, threads would bring the candidates in any order
    try:
        array = open_memmap(target, mode="w+", dtype=np.uint8, shape=(len(pictures), settings.size, settings.size, 3))
        work = Parallel(n_jobs=threads, prefer="threads")
        chunks = work(
            delayed(_fill)(array[start : start + CHUNK], pictures[start : start + CHUNK], settings, max_megapixels)
            for start in range(0, len(pictures), CHUNK)
        )
    finally:
        cv2.setNumThreads(threads_within)
    table = pd.DataFrame([row for rows in chunks for row in rows], columns=Row._fields)
    array.flush()
    _compact(array, np.flatnonzero(table["taken"] != "leave_out"), target)
    return table


def _fill(array: NDArray[np.uint8], pictures: Sequence[Path], settings: Preprocess, max_megapixels: float) -> list[Row]:
    detector = detector_for(settings)
    rows = []
    for place, path in enumerate(pictures):
        try:
            picture = read(path, max_megapixels)
        except UnreadablePicture as error:
            rows.append(Row("", "leave_out", str(error)))
            continue
        faces = detector.find(picture)
        row = Row(("none", "one", "several")[min(len(faces), 2)], _taken(faces, settings), "")
        if row.taken == "crop":
            array[place] = crop.face(picture, faces[0], settings.margin, settings.size)
        elif row.taken == "whole":
            array[place] = crop.whole(picture, settings.size)
        rows.append(row)
    return rows


def _taken(faces: list[Face], settings: Preprocess) -> str:
    if not faces:
        return settings.no_face
    if len(faces) == 1 or settings.several_faces == "largest":
        return "crop"
    return settings.several_faces


def _compact(array: NDArray[np.uint8], kept: NDArray[np.intp], target: Path) -> None:
    """Rewrite the file with the kept rows alone, by chunks; how many there are is known only at the end."""
    if len(kept) == len(array):
        return
    shorter = target.with_suffix(".kept.npy")
    copy = open_memmap(shorter, mode="w+", dtype=np.uint8, shape=(len(kept), *array.shape[1:]))
    for start in range(0, len(kept), CHUNK):
        copy[start : start + CHUNK] = array[kept[start : start + CHUNK]]
    copy.flush()
    shorter.replace(target)
