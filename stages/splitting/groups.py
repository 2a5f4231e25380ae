"""Which pictures belong together, so that none of a group is in train and another in validation."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from stages.splitting.copies import Looks


def near_duplicates(files: Sequence[str], folder: Path) -> list[str]:
    """Group of each picture: the first file, by name, of those that look the same, step by step."""
    pairs = Looks.of([folder / file for file in files]).copies()
    return _first(files, [(first, second) for first, second, _ in pairs])


def joined(files: Sequence[str], *groupings: Sequence[str]) -> list[str]:
    """Group of each picture where all groupings hold at once: the first file, by name, of those they link."""
    links = []
    for groups in groupings:
        seen: dict[str, int] = {}
        links += [(seen.setdefault(group, place), place) for place, group in enumerate(groups)]
    return _first(files, links)


def _first(files: Sequence[str], links: Iterable[tuple[int, int]]) -> list[str]:
    pairs = np.array(list(links), dtype=np.int64).reshape(-1, 2)
    graph = coo_matrix((np.ones(len(pairs), dtype=bool), (pairs[:, 0], pairs[:, 1])), shape=(len(files), len(files)))
    _, component = connected_components(graph, directed=False)
    first: dict[int, str] = {}
    for file, number in sorted(zip(files, component, strict=True)):
        first.setdefault(int(number), file)
    return [first[int(number)] for number in component]
