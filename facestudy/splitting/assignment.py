"""Which pictures train, validate and test: a stratified, seeded assignment of whole groups."""

import math
from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from facestudy.errors import StudyError
from facestudy.project.sections import Split
from facestudy.project.splits import fold_name

STREAM = 1  # of random numbers: the order in which groups are drawn
MAX_LISTED = 20  # labels in a message


def assign(table: pd.DataFrame, classes: list[str], seed: int, settings: Split) -> "pd.Series[str]":
    """The split of each picture: train, validation, test, or the fold's name. `table`: label and group.

    A test split leaves the validation split as it would be without. Raises StudyError with the counts where a class
    has too few pictures, or where the groups leave a training or a split without one.
    """
    sizes = pd.crosstab(table["group"], table["label"])
    sizes = sizes.loc[shuffled(sizes.index, seed)]
    counts = sizes[classes].sum()
    needed = (max(4, settings.folds) if settings.folds else 3) + (settings.test > 0)
    _check_enough(sizes[classes], needed, settings)
    splits = pd.Series("train", index=sizes.index)
    spare = counts - (needed - 1)
    if not settings.folds:
        wanted = quota(counts, settings.validation, spare)
        spare = spare - wanted
        splits[fill(sizes, wanted)] = "validation"
    if settings.test:
        # From the other end of the order, so that the groups before it stay as they are.
        splits[fill(sizes[splits == "train"][::-1], quota(counts, settings.test, spare + 1))] = "test"
    for number, fold in enumerate(assign_folds(sizes[splits != "test"], settings.folds)):
        splits[fold] = fold_name(number)
    assigned = table["group"].map(splits)
    _check_every_class(class_counts(table.assign(split=assigned), classes, settings), settings)
    return assigned


def class_counts(table: pd.DataFrame, classes: list[str], settings: Split) -> pd.DataFrame:
    """Pictures by split (rows) and class (columns), both in their order and with zeros. `table`: label and split."""
    names = [
        *([] if settings.folds else ["train"]),
        *_validation_splits(settings),
        *(["test"] if settings.test else []),
    ]
    return pd.crosstab(table["split"], table["label"]).reindex(index=names, columns=classes, fill_value=0)


def quota(counts: "pd.Series[int]", share: float, most: "pd.Series[int]") -> "pd.Series[int]":
    """Pictures of each class in a share (0..1): rounded up in total, at least one and at most `most` of each.

    The total is divided by the method of largest remainders, so that the classes keep their proportions as well as
    whole pictures can; ties go to the class named first.
    """
    total = math.ceil(round(counts.sum() * share, 6))
    exact = total * counts.to_numpy(np.float64) / counts.sum()
    whole = np.floor(exact).astype(int)
    largest_first = np.argsort(whole - exact, kind="stable")
    whole[largest_first[: total - int(whole.sum())]] += 1
    return pd.Series(np.maximum(whole, 1).clip(max=most.to_numpy()), index=counts.index)


def shuffled(groups: Iterable[str], seed: int) -> list[str]:
    """Distinct groups in a random order that depends on the seed and each group's own name.

    The order of two groups never depends on what else there is, so one more photo moves few others.
    """
    return sorted(groups, key=lambda group: (_random_number(group, seed), group))


def fill(sizes: pd.DataFrame, target: "pd.Series[int]") -> "pd.Index[str]":
    """Groups, tried in order, that fill the target; a group is added where that brings the counts nearer to it.

    Rounds follow in which a group is also removed where that brings them nearer, until nothing moves. `sizes` has a
    row per group and a column per class. Groups of one picture fill the target exactly.
    """
    goal = np.asarray(target, dtype=np.float64)
    rows = np.asarray(sizes[list(target.index)], dtype=np.float64)
    chosen = np.zeros(len(rows), dtype=bool)
    counts = np.zeros_like(goal)
    moved = True
    while moved:
        moved = False
        for position, row in enumerate(rows):
            changed = counts - row if chosen[position] else counts + row
            if _distance(changed, goal) < _distance(counts, goal):
                counts, moved = changed, True
                chosen[position] ^= True
    return sizes.index[chosen]


def assign_folds(sizes: pd.DataFrame, folds: int) -> "list[pd.Index[str]]":
    """All groups as folds of similar size in which the classes keep their proportions; `sizes` as for `fill`."""
    members = []
    for left in range(folds, 0, -1):
        counts = sizes.sum()
        members.append(fill(sizes, quota(counts, 1 / left, counts)) if left > 1 else sizes.index)
        sizes = sizes.drop(members[-1])
    return members


def listed(counts: "pd.Series[int]") -> str:
    """Counts by label as a text: "9 other, 2 target"."""
    parts = [f"{count} {label}" for label, count in counts.items()]
    more = len(parts) - MAX_LISTED
    return ", ".join(parts[:MAX_LISTED]) + (f" and {more} more labels" if more > 0 else "")


def _check_enough(sizes: pd.DataFrame, needed: int, settings: Split) -> None:
    pictures, groups = sizes.sum(), (sizes > 0).sum()
    if pictures.min() < needed or groups.min() < needed - 1:
        in_groups = (
            "" if len(sizes) == sizes.to_numpy().sum() else f", in groups: {listed(groups)} ({_rules(settings)})"
        )
        raise StudyError(
            f"a class has too few pictures; each needs {needed}, "
            f"{f'to be in all {settings.folds} folds' if settings.folds else 'two to train, one for validation'}"
            f"{' and one for test' if settings.test else ''}. There are: {listed(pictures)}{in_groups}"
        )


def _check_every_class(counts: pd.DataFrame, settings: Split) -> None:
    """Each training needs two pictures of each class, and each split that is held out needs one."""
    validation = counts.loc[_validation_splits(settings)]
    trained_on = counts.drop("test", errors="ignore").sum() - validation
    held_out = counts.drop("train", errors="ignore")
    if (trained_on < 2).any(axis=None) or (held_out < 1).any(axis=None):
        nearest = "; ".join(f"{name}: {listed(row)}" for name, row in counts.iterrows())
        raise StudyError(
            f"the groups ({_rules(settings)}) cannot be assigned so that every split has every class; the nearest "
            f"was {nearest}. Change split.validation, split.folds, split.group or split.leaks, or add pictures"
        )


def _validation_splits(settings: Split) -> list[str]:
    """The splits that a training validates on."""
    return [fold_name(number) for number in range(settings.folds)] or ["validation"]


def _rules(settings: Split) -> str:
    return f"split.group: {settings.group}, split.leaks: {settings.leaks}"


def _random_number(group: str, seed: int) -> float:
    words = np.frombuffer(group.encode().ljust(-(-len(group.encode()) // 4) * 4, b"\0"), dtype="<u4")
    return float(np.random.default_rng([seed, STREAM, *map(int, words)]).random())


def _distance(counts: NDArray[np.float64], goal: NDArray[np.float64]) -> float:
    return float((np.square(counts - goal) / np.maximum(goal, 1)).sum())
