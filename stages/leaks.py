"""The leak gate: what is on both sides of a task's split, before anything is trained on it.

In: data/raw/ and data/splits/<task>.csv.
Out: metrics/<task>/leaks.json, the counts; data/leaks/<task>/pairs.csv, every pair of copies; and passed.txt
there, the same bytes every time, which `preprocess` depends on: a gate that passes changes nothing behind it.
"""

import sys
from typing import Any

import pandas as pd

from stages import params, paths
from stages.errors import StudyError, main
from stages.splitting.copies import Looks
from stages.splitting.people import by_person
from stages.writing import read_csv, whole_folder, write_csv, write_json, write_text

COLUMNS = ["kind", "first", "first_split", "second", "second_split", "correlation"]
PASSED = "the split is in order, or params.yaml lets its leaks pass\n"
SHOWN = 3


def leaks(task: str) -> None:
    """Count and write; StudyError with the counts where `split.leaks` is stop and something leaks."""
    rule = params.read("split.leaks")
    table = read_csv(paths.split(task))
    known = read_csv(paths.RAW / "index.csv")[["file", "person"]]
    table = table.merge(known, on="file", how="left")
    pairs = _copies(table)
    people = _people(table)
    report = {
        "rule": rule,
        "exact_copies": int((pairs["kind"] == "exact copy").sum()),
        "near_copies": int((pairs["kind"] == "near copy").sum()),
        "people": int(people["person"].nunique()),
        "pictures_of_them": len(people),
        "people_known": bool((table["person"] != "").any()),
    }
    if rule == "stop" and (len(pairs) or len(people)):
        raise StudyError(_refusal(task, report, pairs, people))
    with whole_folder(paths.leaks(task)) as folder:
        write_csv(folder / "pairs.csv", pairs)
        write_text(folder / "passed.txt", PASSED)
    write_json(paths.task_metrics(task) / "leaks.json", report)
    print(f"{task}, on both sides of the split: {_told(report)}")


def _copies(table: pd.DataFrame) -> pd.DataFrame:
    """Pairs of pictures that look the same and are not in the same split."""
    rows = []
    for first, second, correlation in Looks.of([paths.RAW / "images" / file for file in table["file"]]).copies():
        one, other = table.iloc[first], table.iloc[second]
        if one["split"] != other["split"]:
            kind = "exact copy" if correlation == 1 else "near copy"
            rows.append([kind, one["file"], one["split"], other["file"], other["split"], round(correlation, 4)])
    return pd.DataFrame(rows, columns=COLUMNS)


def _people(table: pd.DataFrame) -> pd.DataFrame:
    """Pictures outside train of people who are on another side too; the person a task asks for is left out."""
    groups = by_person(table)
    sides = table["split"].groupby(groups).transform("nunique")
    return table[(table["split"] != "train") & (sides > 1) & (groups == table["person"])]


def _told(report: dict[str, Any]) -> str:
    people = (
        f"{report['people']} people, on {report['pictures_of_them']} pictures outside train"
        if report["people_known"]
        else "people not known"
    )
    return f"{report['exact_copies']} exact copies, {report['near_copies']} near copies, {people}"


def _refusal(task: str, report: dict[str, Any], pairs: pd.DataFrame, people: pd.DataFrame) -> str:
    named = [
        f"  {row.first} ({row.first_split}) and {row.second} ({row.second_split}): {row.kind}"
        for row in pairs.head(SHOWN).itertuples()
    ]
    named += [
        f"  {row.file} ({row.split}) shows {row.person}, who is on another side too"
        for row in people.head(SHOWN).itertuples()
    ]
    return (
        f"task {task}: the split leaks ({_told(report)}), and split.leaks is 'stop'\n" + "\n".join(named) + "\n"
        "keep them on one side with split.leaks: group, remove pictures, or let them pass with split.leaks: warn"
    )


if __name__ == "__main__":
    main(leaks, *sys.argv[1:])
