"""Which pictures belong together, so that none of a group is in train and another in validation."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from stages.faces.reading import read

SIDE = 32  # pixels
SAME = 0.93  # correlation of grey pixels above which two photos are taken for one, found by looking at pairs
ANY_SIZE = np.inf  # the pictures were read once, under the limit of params.yaml
BLOCK = 1024  # rows compared at a time; a whole matrix of 13,000 pictures would take 680 MB


def by_person(table: pd.DataFrame) -> "pd.Series[str]":
    """Group of each picture: its person; a picture of nobody known stands alone.

    Where a class is one person and that person has no other class, the task is to know the person,
    who must be on both sides: those pictures stand alone too. `table`: file, label, person.
    """
    alone = table["person"] == ""
    for _, rows in table[~alone].groupby("person"):
        label = rows["label"].iloc[0]
        if (rows["label"] == label).all() and len(rows) == (table["label"] == label).sum():
            alone |= table["file"].isin(rows["file"])
    return table["person"].where(~alone, table["file"])


def near_duplicates(files: Sequence[str], folder: Path) -> list[str]:
    """Group of each picture: the first file, by name, of those that look the same, step by step.

    Two pictures look the same if their grey pixels, at 32 x 32, correlate above 0.93.
    """
    pixels = np.stack([_grey(folder / file) for file in files])
    rows, columns = [], []
    for start in range(0, len(pixels), BLOCK):
        alike = np.argwhere(pixels[start : start + BLOCK] @ pixels.T > SAME)
        rows.append(alike[:, 0] + start)
        columns.append(alike[:, 1])
    links = np.concatenate(rows), np.concatenate(columns)
    graph = coo_matrix((np.ones(len(links[0]), dtype=bool), links), shape=(len(files), len(files)))
    _, component = connected_components(graph, directed=False)
    first: dict[int, str] = {}
    for file, number in sorted(zip(files, component, strict=True)):
        first.setdefault(int(number), file)
    return [first[int(number)] for number in component]


def _grey(path: Path) -> NDArray[np.float32]:
    """Grey pixels of mean 0 and length 1, so that a product of two is their correlation."""
    image = Image.fromarray(read(path, ANY_SIZE)).convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    values = np.asarray(image, dtype=np.float32).ravel()
    values = values - values.mean(dtype=np.float64).astype(np.float32)
    length = np.float32(max(float(np.linalg.norm(values)), 1e-6))
    return np.asarray(values / length, dtype=np.float32)
