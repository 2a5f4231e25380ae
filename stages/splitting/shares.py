"""A stratified, seeded draw of groups."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

DRAW = 1  # stream of random numbers: the order in which groups are drawn


def quota(counts: "pd.Series[int]", share: float, left: "pd.Series[int]") -> "pd.Series[int]":
    """Pictures of each class in a share (0..1): rounded up in total, at least one, at most what is `left`.

    The total is dealt out by the method of largest remainders, so that the classes keep their
    proportions as well as whole pictures can; ties go to the class named first.
    """
    total = math.ceil(round(counts.sum() * share, 6))
    exact = total * counts.to_numpy(np.float64) / counts.sum()
    dealt = np.floor(exact).astype(int)
    largest_first = np.argsort(dealt - exact, kind="stable")
    dealt[largest_first[: total - int(dealt.sum())]] += 1
    return pd.Series(np.maximum(dealt, 1).clip(max=left.to_numpy()), index=counts.index)


def draw(groups: Sequence[str], seed: int) -> list[str]:
    """The distinct groups in a random order that rests on the seed and each group's own name.

    A group's place against another never depends on what else there is, so one more photo
    moves few others.
    """
    return sorted(set(groups), key=lambda group: (_number(group, seed), group))


def fill(members: pd.DataFrame, order: Sequence[str], target: "pd.Series[int]") -> set[str]:
    """Groups, taken in order, that fill the target; a group is taken where it brings the counts nearer.

    Rounds follow in which a group also leaves where that brings them nearer, until nothing moves.
    `members` has the columns group and label. Groups of one picture fill the target exactly.
    """
    classes = list(target.index)
    table = pd.crosstab(members["group"], members["label"]).reindex(columns=classes, fill_value=0)
    sizes = dict(zip(table.index, table.to_numpy(np.float64), strict=True))
    goal = target.to_numpy(np.float64)
    have = np.zeros(len(classes))
    taken: set[str] = set()
    moved = True
    while moved:
        moved = False
        for group in order:
            change = -sizes[group] if group in taken else sizes[group]
            if _distance(have + change, goal) < _distance(have, goal):
                have = have + change
                taken ^= {group}
                moved = True
    return taken


def deal(members: pd.DataFrame, order: Sequence[str], count: int) -> list[set[str]]:
    """All groups, taken in order, as `count` folds of like size in which the classes keep their proportions."""
    folds: list[set[str]] = []
    rest = list(order)
    for left in range(count, 1, -1):
        among = members[members["group"].isin(rest)]
        labels = among["label"].value_counts().sort_index()
        folds.append(fill(among, rest, quota(labels, 1 / left, labels)))
        rest = [group for group in rest if group not in folds[-1]]
    return [*folds, set(rest)]


def _number(group: str, seed: int) -> float:
    words = np.frombuffer(group.encode().ljust(-(-len(group.encode()) // 4) * 4, b"\0"), dtype="<u4")
    return float(np.random.default_rng([seed, DRAW, *map(int, words)]).random())


def _distance(counts: NDArray[Any], goal: NDArray[Any]) -> float:
    return float((np.square(counts - goal) / np.maximum(goal, 1)).sum())
