"""All pictures of a set in one array file, found, cut and resized on every core."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd
from joblib import Parallel, delayed, parallel_config
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from rich.progress import track

from stages import dvc_process
from stages.errors import StudyError
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
    pictures: Sequence[Path], settings: Preprocess, max_megapixels: float, target: Path, workers: int = -1
) -> pd.DataFrame:
    """Write the array file `target` and return a row per picture, in the order given.

    The file is an .npy, uint8 (N, size, size, 3) in RGB, of the N pictures that are not left out, in
    their order; it is filled chunk by chunk, so that the array never stands in memory. The table has the
    columns of `Row`. The result depends neither on the number of `workers` (-1: one per core) nor on
    where they run (`JOBLIB_BACKEND`, see `workers_of`). Raises StudyError where the detector or the
    workers cannot be had.
    """
    detector_for(settings)  # its faults, before any work
    threads_within = cv2.getNumThreads()
    shape = (len(pictures), settings.size, settings.size, 3)
    array = _mapped(target, shape)
    table: list[Row] = []
    try:
        with workers_of(os.environ.get("JOBLIB_BACKEND", "threading"), workers) as parallel:
            starts = range(0, len(pictures), CHUNK)
            chunks = (pictures[start : start + CHUNK] for start in starts)
            absolute = ([path.absolute() for path in chunk] for chunk in chunks)  # workers may run in another folder
            done = parallel(delayed(_faces)(chunk, settings, max_megapixels) for chunk in absolute)
            for faces, rows in track(done, "Faces", total=len(starts), transient=True):
                array[len(table) : len(table) + len(rows)] = faces
                table.extend(rows)
    finally:
        cv2.setNumThreads(threads_within)
    array.flush()
    frame = pd.DataFrame(table, columns=Row._fields)
    _compact(array, np.flatnonzero(frame["taken"] != "leave_out"), target)
    return frame


@contextmanager
def workers_of(backend: str, workers: int) -> Iterator[Parallel]:
    """A joblib pool on any of its backends: threading, loky, or a cluster's, dask or ray.

    dask reaches the cluster that its own settings name (`DASK_SCHEDULER_ADDRESS`), ray the one of
    `RAY_ADDRESS`; their workers see the pictures under the same paths. Results come in order, and
    no more chunks are under way than the workers can hold. Raises StudyError for a backend that is not
    installed or not known.
    """
    with ExitStack() as stack:
        try:
            if backend == "dask":
                from dask.distributed import Client  # noqa: PLC0415 (for those who name it)

                stack.enter_context(Client())  # type: ignore[no-untyped-call]
            elif backend == "ray":
                from ray.util.joblib import register_ray  # noqa: PLC0415

                register_ray()
            own = dvc_process.workers_end_too() if backend == "loky" else {}
            stack.enter_context(parallel_config(backend=backend, n_jobs=workers, **own))
        except ImportError as error:
            raise StudyError(f"JOBLIB_BACKEND={backend}: {error}; pip install 'dask[distributed]' or ray") from None
        except OSError as error:
            raise StudyError(f"JOBLIB_BACKEND={backend}: its scheduler cannot be reached ({error})") from None
        except ValueError:
            raise StudyError(f"JOBLIB_BACKEND={backend} is not known; take threading, loky, dask or ray") from None
        yield stack.enter_context(Parallel(return_as="generator"))


def _faces(
    pictures: Sequence[Path], settings: Preprocess, max_megapixels: float
) -> tuple[NDArray[np.uint8], list[Row]]:
    """Faces of one chunk, uint8 (len(pictures), size, size, 3), black where a picture is left out, and their rows."""
    cv2.setNumThreads(1)  # chunks run side by side; within one, threads would bring the candidates in any order
    detector = detector_for(settings)
    faces = np.zeros((len(pictures), settings.size, settings.size, 3), np.uint8)
    rows = []
    for place, path in enumerate(pictures):
        try:
            picture = read(path, max_megapixels)
        except UnreadablePicture as error:
            rows.append(Row("", "leave_out", str(error)))
            continue
        found = detector.find(picture)
        row = Row(("none", "one", "several")[min(len(found), 2)], _taken(found, settings), "")
        if row.taken == "crop":
            faces[place] = crop.face(picture, found[0], settings.margin, settings.size)
        elif row.taken == "whole":
            faces[place] = crop.whole(picture, settings.size)
        rows.append(row)
    return faces, rows


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
    copy = _mapped(shorter, (len(kept), *array.shape[1:]))
    for start in range(0, len(kept), CHUNK):
        copy[start : start + CHUNK] = array[kept[start : start + CHUNK]]
    copy.flush()
    shorter.replace(target)


def _mapped(target: Path, shape: tuple[int, ...]) -> "np.memmap[tuple[int, ...], np.dtype[np.uint8]]":
    """A new array file by memory map; its room is taken now, since a write to a map on a full disk ends the process."""
    array: np.memmap[tuple[int, ...], np.dtype[np.uint8]] = open_memmap(target, mode="w+", dtype=np.uint8, shape=shape)
    with target.open("rb+") as file:
        os.posix_fallocate(file.fileno(), 0, target.stat().st_size)
    return array
