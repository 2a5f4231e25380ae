"""Which pictures show the same person, where that is not what the task is about."""

import pandas as pd


def by_person(table: pd.DataFrame) -> "pd.Series[str]":
    """Group of each picture: its person; a picture of nobody known stands alone.

    Where a class is one person and that person has no other class, the task is to know the person,
    who must be on both sides: those pictures stand alone too. `table`: file, label, person.
    """
    alone = table["person"] == ""
    for _, rows in table[~alone].groupby("person"):
        label = rows["label"].iloc[0]
        if (rows["label"] == label).all() and len(rows) == (table["label"] == label).sum():
            alone |= table["file"].isin(rows["file"])
    return table["person"].where(~alone, table["file"])
