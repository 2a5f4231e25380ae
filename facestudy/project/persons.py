"""Which pictures show the same person, where that is not what the task asks for."""

import pandas as pd

from facestudy.project.labels import label_form


def person_groups(table: pd.DataFrame, positive: str | None) -> "pd.Series[str]":
    """Group of each picture: its person; a picture without a known person is a group of its own.

    Where the task is to recognise a person, that person must be on both sides of the split: each of these pictures is
    a group of its own too. In a binary task, whose target has the label `positive`, it is whoever is alone in that
    class and in no other. In a task of several classes it is whoever is labelled with their own name, as in "who is
    it?"; an expression that happens to be shown by one person alone is not that person. `table`: file, label, person.
    """
    known = table[table["person"] != ""]
    labels_of_person = table.groupby("person")["label"].transform("nunique")
    if positive is None:
        asked_for = table["label"] == table["person"].map(label_form)
    else:
        targets = known.loc[known["label"] == positive, "person"].unique()
        asked_for = table["person"].isin(targets) & (len(targets) == 1)
    single = (table["person"] == "") | (asked_for & (labels_of_person == 1))
    return table["person"].where(~single, table["file"])
