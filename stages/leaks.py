"""The leak check: what is on both sides of a task's split, before anything is trained on it.

In: data/raw/ and data/splits/<task>.csv.
Out: metrics/<task>/leaks.json, the counts; data/leaks/<task>/pairs.csv, every pair of copies; and passed.txt there,
the same bytes every time, which `preprocess` depends on: a check that passes reruns nothing behind it.
"""

import pandas as pd

from facestudy.contracts.counts import LeaksReport
from facestudy.csv_writer import write_csv
from facestudy.errors import StudyError
from facestudy.photos.similarity import Fingerprints
from facestudy.project import parameters, paths
from facestudy.project.files import whole_folder, write_json, write_text
from facestudy.project.persons import person_groups
from facestudy.project.tables import read_csv
from facestudy.stage import run

COLUMNS = ["kind", "first", "first_split", "second", "second_split", "correlation"]
PASSED = "the split is in order, or params.yaml lets its leaks pass\n"
MAX_SHOWN = 3  # of each kind of leak, in a message


def leaks(task: str) -> None:
    """Count and write; StudyError with the counts where `split.leaks` is stop and something leaks."""
    settings = parameters.read()
    rule, positive = settings.split.leaks, settings.tasks[task].positive
    persons = read_csv(paths.RAW / "index.csv")[["file", "person"]]
    table = read_csv(paths.split(task)).merge(persons, on="file", how="left")
    pairs, pictures = _copies(table), _pictures_of_shared_persons(table, positive)
    report = LeaksReport(
        rule=rule,
        exact_copies=int((pairs["kind"] == "exact copy").sum()),
        near_copies=int((pairs["kind"] == "near copy").sum()),
        people=pictures["person"].nunique(),
        pictures_of_them=len(pictures),
        people_known=bool((table["person"] != "").any()),
    )
    people = f"{report.people} people, on {report.pictures_of_them} pictures outside train"
    counts = f"{report.exact_copies} exact copies, {report.near_copies} near copies, "
    counts += people if report.people_known else "people not known"
    if rule == "stop" and (len(pairs) or len(pictures)):
        examples = [
            f"  {pair.first} ({pair.first_split}) and {pair.second} ({pair.second_split}): {pair.kind}\n"
            for pair in pairs.head(MAX_SHOWN).itertuples()
        ] + [
            f"  {picture.file} ({picture.split}) shows {picture.person}, who is in another split too\n"
            for picture in pictures.head(MAX_SHOWN).itertuples()
        ]
        raise StudyError(
            f"task {task}: the split leaks ({counts}), and split.leaks is 'stop'\n{''.join(examples)}"
            "put them in one split with split.leaks: group, remove pictures, or let them pass with split.leaks: warn"
        )
    with whole_folder(paths.leaks(task)) as folder:
        write_csv(folder / "pairs.csv", pairs)
        write_text(folder / "passed.txt", PASSED)
    write_json(paths.task_metrics(task) / "leaks.json", report)
    print(f"{task}, on both sides of the split: {counts}")


def _copies(table: pd.DataFrame) -> pd.DataFrame:
    """Pairs of pictures that look the same and are not in the same split."""
    rows = []
    fingerprints = Fingerprints.of([paths.RAW / "images" / file for file in table["file"]])
    for first, second, correlation in fingerprints.copies():
        one, other = table.iloc[first], table.iloc[second]
        if one["split"] != other["split"]:
            kind = "exact copy" if correlation == 1 else "near copy"
            rows.append([kind, one["file"], one["split"], other["file"], other["split"], round(correlation, 4)])
    return pd.DataFrame(rows, columns=COLUMNS)


def _pictures_of_shared_persons(table: pd.DataFrame, positive: str | None) -> pd.DataFrame:
    """Pictures outside train of people who are in another split too; the person a task asks for is left out."""
    groups = person_groups(table, positive)
    splits = table["split"].groupby(groups).transform("nunique")
    return table[(table["split"] != "train") & (splits > 1) & (groups == table["person"])]


if __name__ == "__main__":
    run(leaks)
