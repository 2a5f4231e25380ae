"""A model's mistakes to look at, as Markdown: the crop that the network got, and where it looked."""

from collections.abc import Collection, Mapping
from pathlib import Path

import pandas as pd

from facestudy.pages.markdown import counted, plain, render

TEMPLATE = Path(__file__).with_name("gallery.md.j2")
CONFIDENT, PAIRS, EXAMPLES = 24, 3, 8


def grouped(errors: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The most confident errors, then those of the pairs of truth and prediction that occur most, by heading.

    `errors` is what `validation_errors` gives. A task of two classes has no pairs.
    """
    groups = {"The most confident": errors.head(CONFIDENT)}
    if errors[["truth", "prediction"]].stack().nunique() < 3:  # two classes have just the one pair
        return groups
    pairs = errors.groupby(["truth", "prediction"])
    for truth, prediction in pairs.size().sort_values(ascending=False, kind="stable").head(PAIRS).index:
        pair = pairs.get_group((truth, prediction))
        heading = f"{plain(truth)} predicted as {plain(prediction)}: {counted(len(pair), 'time')}"
        groups[heading] = pair.head(EXAMPLES)
    return groups


def gallery(title: str, errors: pd.DataFrame, groups: Mapping[str, pd.DataFrame], pictures: Collection[str]) -> str:
    """The groups as tables; `pictures` are the names of those that the page has, such as 0123.jpg-crop."""
    tables = {heading: group.to_dict("records") for heading, group in groups.items()}
    return render(TEMPLATE, title=title, errors=len(errors), tables=tables, pictures=pictures)
