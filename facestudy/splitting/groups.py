"""Which pictures belong together, so that none of a group is in train and another in validation."""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from facestudy.errors import StudyError
from facestudy.photos.similarity import Fingerprints
from facestudy.project.persons import person_groups
from facestudy.project.sections import Split


def picture_groups(table: pd.DataFrame, positive: str | None, images: Path, settings: Split) -> "pd.Series[str]":
    """Group of each picture, by `split.group` and `split.leaks`: its file, its person, or the first of linked files.

    `table`: file, label, person, sorted by file; `positive`: as of `person_groups`; `images` is the folder of the
    files. Copies link pictures for `near_duplicate`, and both copies and persons for `split.leaks: group`; links of
    links count. Raises StudyError where groups by person are asked for and no person is known.
    """
    if settings.group == "person" and not (table["person"] != "").any():
        raise StudyError(
            "split.group is 'person', but no picture names its person; "
            "set the column (columns.person) or person_pattern of the source"
        )
    if settings.leaks != "group" and settings.group != "near_duplicate":
        return person_groups(table, positive) if settings.group == "person" else table["file"]
    pairs = Fingerprints.of([images / file for file in table["file"]]).copies()
    links = [(first, second) for first, second, _ in pairs]
    if settings.leaks == "group":
        persons = list(person_groups(table, positive))
        _, first_of_person, person = np.unique(persons, return_index=True, return_inverse=True)
        links += zip(first_of_person[person], range(len(table)), strict=True)
    rows, columns = np.array(links, dtype=np.int64).reshape(-1, 2).T
    graph = coo_matrix((np.ones(len(rows), dtype=bool), (rows, columns)), shape=(len(table), len(table)))
    _, component = connected_components(graph, directed=False)
    return table.groupby(component)["file"].transform("first")
