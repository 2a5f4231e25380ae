"""Share the pictures of a task out to train, validation and, where asked for, test, or to folds.

In: data/raw/index.csv (and its pictures for `split.group: near_duplicate` and `split.leaks: group`).
Out: data/splits/<task>.csv (file, label, split, group) and metrics/<task>/split.json. With `split.folds`
the split is fold_0, fold_1 and so on, and each training validates on one of them (splitting/folds.py).
A task without any label gets both files too: a table with its header alone, and the reason.
"""

import sys
from typing import Any

import pandas as pd

from stages import params, paths
from stages.errors import StudyError, main
from stages.sources.folder import label_form
from stages.splitting import folds, groups, people, shares
from stages.writing import read_csv, write_csv, write_json

OTHER = "other"


def split(task: str) -> None:
    """Write the split of a task; StudyError with the counts where a class has too few pictures."""
    seed, settings, positive = params.read("seed", "split", f"tasks.{task}.positive")
    index = read_csv(paths.RAW / "index.csv")
    if index.empty:
        raise StudyError(f"{paths.RAW / 'index.csv'} holds no picture")
    if task not in index or not (index[task] != "").any():
        reason = f"no picture has a label for the task {task!r} (data.source, columns.{task})"
        table = pd.DataFrame(columns=["file", "label", "split", "group"])
        write_csv(paths.split(task), table)
        write_json(paths.task_metrics(task) / "split.json", _report(table, reason, [], settings))
        print(f"{task}: {reason}; its stages write empty results")
        return
    table, classes = _labelled(index, task, positive)
    table["group"] = _groups(table, settings)
    table["split"] = _drawn(table, classes, seed, settings, task)
    report = _report(table, None, classes, settings)
    write_csv(paths.split(task), table[["file", "label", "split", "group"]])
    write_json(paths.task_metrics(task) / "split.json", report)
    print(f"{task}: {_told(report['counts'])}")


def _labelled(index: pd.DataFrame, task: str, positive: str | None) -> tuple[pd.DataFrame, list[str]]:
    """The task's pictures, sorted by file, with their class; and the classes in their order."""
    table = index[index[task] != ""].sort_values("file", ignore_index=True)
    table = table[["file", "person", task]].rename(columns={task: "label"})
    found = table["label"].value_counts()
    if positive is not None:
        wanted = label_form(positive)
        if wanted not in found.index:
            raise StudyError(
                f"tasks.{task}.positive is {positive!r}, but no picture has this label; labels found: {_counts(found)}"
            )
        table["label"] = [positive if label == wanted else OTHER for label in table["label"]]
        classes = [OTHER, positive]
    else:
        classes = sorted(found.index)
    present = table["label"].value_counts()
    if len(present) < 2:
        raise StudyError(f"task {task}: one class only ({_counts(present)}); two or more are needed")
    return table, classes


def _groups(table: pd.DataFrame, settings: params.Split) -> "pd.Series[str]":
    files, keep_copies = list(table["file"]), settings.group == "near_duplicate" or settings.leaks == "group"
    if settings.group == "person" and not (table["person"] != "").any():
        raise StudyError(
            "split.group is 'person', but no picture names its person; "
            "set the column (columns.person) or person_pattern of the source"
        )
    by_copy = groups.near_duplicates(files, paths.RAW / "images") if keep_copies else files
    if settings.leaks == "group":
        return pd.Series(groups.joined(files, by_copy, list(people.by_person(table))), index=table.index)
    return people.by_person(table) if settings.group == "person" else pd.Series(by_copy, index=table.index)


def _drawn(table: pd.DataFrame, classes: list[str], seed: int, settings: params.Split, task: str) -> "pd.Series[str]":
    counts = table["label"].value_counts().reindex(classes)
    needed = (max(4, settings.folds) if settings.folds else 3) + (settings.test > 0)
    kinds = table.groupby("label")["group"].nunique().reindex(classes)
    if counts.min() < needed or kinds.min() < needed - 1:
        rule = f"split.group: {settings.group}, split.leaks: {settings.leaks}"
        in_groups = "" if list(table["group"]) == list(table["file"]) else f", in groups: {_counts(kinds)} ({rule})"
        raise StudyError(
            f"task {task}: a class has too few pictures; each needs {needed}, "
            f"{f'to be in all {settings.folds} folds' if settings.folds else 'two to train, one for validation'}"
            f"{' and one for test' if settings.test else ''}. Found: {_counts(counts)}{in_groups}"
        )
    order = shares.draw(list(table["group"]), seed)
    result = pd.Series("train", index=table.index)
    left = counts - (needed - 1)
    wanted = counts * 0 if settings.folds else shares.quota(counts, settings.validation, left)
    validation = shares.fill(table, order, wanted)
    result[table["group"].isin(validation)] = "validation"
    if settings.test:
        # From the other end of the order: asking for a test split leaves the validation split as it was.
        rest = [group for group in reversed(order) if group not in validation]
        test = shares.fill(table, rest, shares.quota(counts, settings.test, left - wanted + 1))
        result[table["group"].isin(test)] = "test"
    if settings.folds:
        rest = [group for group in order if group in set(table["group"][result != "test"])]
        for number, fold in enumerate(shares.deal(table, rest, settings.folds)):
            result[table["group"].isin(fold)] = folds.name(number)
    _refuse_uneven(table, result, classes, settings, task)
    return result


def _refuse_uneven(
    table: pd.DataFrame, drawn: "pd.Series[str]", classes: list[str], settings: params.Split, task: str
) -> None:
    """Where a training would lack a class: two pictures of each are needed to train, and one on each other side."""
    sides = _sides(settings)
    dealt = pd.crosstab(table["label"], drawn).reindex(index=classes, columns=sides, fill_value=0)
    for seed in range(max(1, settings.folds)):
        seen = pd.crosstab(table["label"], folds.seen_by(drawn, seed)).reindex(index=classes, fill_value=0)
        held_out = [name for name in ("validation", "test") if name == "validation" or settings.test]
        seen = seen.reindex(columns=["train", *held_out], fill_value=0)
        if (seen["train"] < 2).any() or (seen[held_out] < 1).any(axis=None):
            told = "; ".join(f"{name}: {_counts(dealt[name])}" for name in sides)
            raise StudyError(
                f"task {task}: the groups (split.group: {settings.group}, split.leaks: {settings.leaks}) cannot be "
                f"shared out so that every class is on every side; the nearest was {told}. Change split.validation, "
                "split.folds, split.group or split.leaks, or add pictures"
            )


def _sides(settings: params.Split) -> list[str]:
    """What a picture's split can be."""
    main = [folds.name(number) for number in range(settings.folds)] or ["train", "validation"]
    return [*main, "test"] if settings.test else main


def _report(table: pd.DataFrame, reason: str | None, classes: list[str], settings: params.Split) -> dict[str, Any]:
    counts = {
        name: {label: int(((table["split"] == name) & (table["label"] == label)).sum()) for label in classes}
        for name in _sides(settings)
    }
    rules = {"group": settings.group, "leaks": settings.leaks, "folds": settings.folds}
    return {"reason": reason, "classes": classes, "counts": counts, **rules}


def _told(counts: dict[str, dict[str, int]]) -> str:
    return "; ".join(
        f"{name} {sum(labels.values())} ({', '.join(f'{n} {label}' for label, n in labels.items())})"
        for name, labels in counts.items()
    )


def _counts(counts: "pd.Series[int]") -> str:
    parts = [f"{count} {label}" for label, count in counts.items()]
    return ", ".join(parts[:20]) + (f" and {len(parts) - 20} more labels" if len(parts) > 20 else "")


if __name__ == "__main__":
    main(split, *sys.argv[1:])
