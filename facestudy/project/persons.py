"""Which pictures show the same person, where that is not what the task asks for."""

import pandas as pd


def person_groups(table: pd.DataFrame) -> "pd.Series[str]":
    """Group of each picture: its person; a picture without a known person is a group of its own.

    Where a class is one person and that person has no other class, the task is to recognise the person, who must be
    on both sides of the split: each of those pictures is a group of its own too. `table`: file, label, person.
    """
    labels_of_person = table.groupby("person")["label"].transform("nunique")
    persons_of_label = table.groupby("label")["person"].transform("nunique")
    single = (table["person"] == "") | ((labels_of_person == 1) & (persons_of_label == 1))
    return table["person"].where(~single, table["file"])
