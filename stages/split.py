"""Assign the pictures of a task to train, validation and, where asked for, test, or to folds.

In: data/raw/index.csv (and its pictures for `split.group: near_duplicate` and `split.leaks: group`).
Out: data/splits/<task>.csv (file, label, split, group) and metrics/<task>/split.json. With `split.folds` the split is
fold_0, fold_1 and so on, and each training validates on one of them (facestudy/project/splits.py).
A task without any label gets both files too: a table with its header alone, and the reason.
"""

import pandas as pd

from facestudy.contracts.counts import SplitReport
from facestudy.csv_writer import write_csv
from facestudy.errors import StudyError
from facestudy.project import parameters, paths
from facestudy.project.files import write_json
from facestudy.project.labels import label_form
from facestudy.project.tables import read_csv
from facestudy.splitting.assignment import assign, class_counts, listed
from facestudy.splitting.groups import picture_groups
from facestudy.stage import run

COLUMNS = ["file", "label", "split", "group"]
OTHER = "other"  # every label of a binary task but the positive one


def split(task: str) -> None:
    """Write the split of a task; StudyError with the counts where a class has too few pictures."""
    settings = parameters.read()
    seed, rules, positive = settings.seed, settings.split, settings.tasks[task].positive
    index = read_csv(paths.RAW / "index.csv")
    if index.empty:
        raise StudyError(f"{paths.RAW / 'index.csv'} has no picture; see data.source in params.yaml")
    reason, table, classes = None, pd.DataFrame(columns=COLUMNS), list[str]()
    if task not in index or not (index[task] != "").any():
        reason = f"no picture has a label for the task {task!r} (data.source, columns.{task})"
    else:
        try:
            table, classes = _labelled(index, task, positive)
            table["group"] = picture_groups(table, positive, paths.RAW / "images", rules)
            table["split"] = assign(table, classes, seed, rules)
        except StudyError as error:
            raise StudyError(f"task {task}: {error}") from None
    counts = class_counts(table, classes, rules)
    report = SplitReport(
        reason=reason,
        classes=classes,
        counts=counts.to_dict("index"),
        group=rules.group,
        leaks=rules.leaks,
        folds=rules.folds,
    )
    write_csv(paths.split(task), table[COLUMNS])
    write_json(paths.task_metrics(task) / "split.json", report)
    pictures = "; ".join(f"{name} {row.sum()} ({listed(row)})" for name, row in counts.iterrows())
    print(f"{task}: {pictures}" if reason is None else f"{task}: {reason}; its stages write empty results")


def _labelled(index: pd.DataFrame, task: str, positive: str | None) -> tuple[pd.DataFrame, list[str]]:
    """The task's pictures (file, person, label), sorted by file; and the classes in their order."""
    table = index[index[task] != ""].sort_values("file", ignore_index=True)
    table = table[["file", "person", task]].rename(columns={task: "label"})
    table["label"] = table["label"].map(label_form)  # also of a column that the source's `columns` does not name
    if positive is not None:
        is_positive = table["label"] == label_form(positive)
        if not is_positive.any():
            raise StudyError(
                f"tasks.{task}.positive is {positive!r}, but no picture has this label; "
                f"there are: {listed(table['label'].value_counts())}"
            )
        table["label"] = is_positive.map({True: positive, False: OTHER})
    counts = table["label"].value_counts()
    if len(counts) < 2:
        raise StudyError(f"one class only ({listed(counts)}); two or more are needed")
    return table, sorted(counts.index) if positive is None else [OTHER, positive]


if __name__ == "__main__":
    run(split)
