"""The faces of many pictures in one array file: found, cropped and resized on every core."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pandas as pd
from joblib import Parallel, delayed, parallel_config
from numpy.lib.format import write_array_header_1_0
from numpy.typing import NDArray
from rich.progress import track

from facestudy import process
from facestudy.errors import StudyError
from facestudy.faces import cropping
from facestudy.faces.detection import detector_for
from facestudy.faces.searching import search
from facestudy.project.sections import Preprocess

WINDOW = 64  # work items that a backend without a stream of results gets at a time
CHUNK = 64  # pictures of a work item: loading a detector, 11 ms of the cascade, happens once in each


class Row(NamedTuple):
    """What became of one picture."""

    faces_found: str  # one | none | several; empty where it could not be read
    crop: str  # face | whole | leave_out
    unreadable: str  # why it could not be read, or empty


def pack(
    pictures: Sequence[Path], settings: Preprocess, max_megapixels: float, target: Path, workers: int = -1
) -> pd.DataFrame:
    """Write the array file `target` and return a row per picture, in the order given.

    The file is an .npy, uint8 (N, size, size, 3) in RGB, of the N pictures that are not left out, in their order; it
    is written chunk by chunk, so that the array is never in memory. The table has the columns of `Row`. The result
    depends neither on the number of `workers` (-1: one per core) nor on where they run (`JOBLIB_BACKEND`, see
    `worker_pool`). Raises StudyError where the detector or the workers are not available.
    """
    detector_for(settings)  # its errors, before any work
    threads_before = cv2.getNumThreads()
    table: list[Row] = []
    count = 0
    try:
        with worker_pool(os.environ.get("JOBLIB_BACKEND", "threading"), workers) as pool, target.open("wb") as file:

            def write_header() -> None:
                """Of the same length for any count: numpy pads it, so that it can be written again at the end."""
                file.seek(0)
                shape = (count, settings.size, settings.size, 3)
                write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})

            write_header()
            starts = range(0, len(pictures), CHUNK)
            chunks = (pictures[start : start + CHUNK] for start in starts)
            absolute = ([path.absolute() for path in chunk] for chunk in chunks)  # workers may run in another folder
            results = pool(delayed(_crops)(chunk, settings, max_megapixels) for chunk in absolute)
            for crops, rows in track(results, "Faces", total=len(starts), transient=True):
                file.write(crops.tobytes())
                count += len(crops)
                table.extend(rows)
            write_header()
    finally:
        cv2.setNumThreads(threads_before)
    return pd.DataFrame(table, columns=Row._fields)


@contextmanager
def worker_pool(backend: str, workers: int) -> Iterator[Callable[[Iterable[Any]], Iterable[Any]]]:
    """What computes work items on any of joblib's backends: threading, loky, or a cluster's, dask or ray.

    dask connects to the cluster that its own settings name (`DASK_SCHEDULER_ADDRESS`), ray to that of
    `RAY_ADDRESS`; their workers see the pictures under the same paths. Results come in order, and no more chunks are
    in progress than the workers can hold. Raises StudyError for a backend that is not installed or not known.
    """
    with ExitStack() as stack:
        try:
            if backend == "dask":
                from dask.distributed import Client  # noqa: PLC0415 (for those who name it)

                stack.enter_context(Client())  # type: ignore[no-untyped-call]
            elif backend == "ray":
                from ray.util.joblib import register_ray  # noqa: PLC0415

                register_ray()
            own = process.worker_settings() if backend == "loky" else {}
            stack.enter_context(parallel_config(backend=backend, n_jobs=workers, **own))
        except ImportError as error:
            raise StudyError(f"JOBLIB_BACKEND={backend}: {error}; pip install 'dask[distributed]' or ray") from None
        except OSError as error:
            raise StudyError(f"JOBLIB_BACKEND={backend}: its scheduler cannot be reached ({error})") from None
        except ValueError:
            raise StudyError(f"JOBLIB_BACKEND={backend} is not known; use threading, loky, dask or ray") from None
        if backend == "ray":  # which can only return lists
            pool = stack.enter_context(Parallel())
            yield lambda items: _in_windows(pool, iter(items))
        else:
            yield stack.enter_context(Parallel(return_as="generator"))


def _in_windows(pool: Parallel, items: Iterator[Any]) -> Iterator[Any]:
    """The results of work items in order, of which few are in memory at a time."""
    while window := list(islice(items, WINDOW)):
        yield from pool(window)


def _crops(
    pictures: Sequence[Path], settings: Preprocess, max_megapixels: float
) -> tuple[NDArray[np.uint8], list[Row]]:
    """Crops of one chunk, uint8 (N, size, size, 3), of the N pictures that are not left out; and a row per picture."""
    several = "face" if settings.several_faces == "largest" else settings.several_faces
    crop_for = {"none": settings.no_face, "one": "face", "several": several}
    crops, rows = [np.empty((0, settings.size, settings.size, 3), np.uint8)], []
    for picture, faces, problem in search(pictures, settings, max_megapixels):
        if problem:
            rows.append(Row("", "leave_out", problem))
            continue
        faces_found = ("none", "one", "several")[min(len(faces), 2)]
        crop = crop_for[faces_found]
        rows.append(Row(faces_found, crop, ""))
        if crop == "face":
            crops.append(cropping.face(picture, faces[0], settings.margin, settings.size)[None])
        elif crop == "whole":
            crops.append(cropping.whole(picture, settings.size)[None])
    return np.concatenate(crops), rows
