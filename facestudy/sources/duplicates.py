"""The same picture more than once: recognised by its bytes, merged where the labels agree."""

from pathlib import Path

import pandas as pd

from facestudy.project.files import sha256


def picture_id(path: Path) -> str:
    """First 16 hexadecimal digits of the SHA-256 of a file's bytes; the id of a picture everywhere."""
    return sha256(path)[:16]


def merge(table: pd.DataFrame, tasks: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One row per picture, and the rows left out because copies of one picture contradict each other.

    `table` has a column `id`, `source_file`, `person`, the tasks, and extras, all text. Of copies that agree the first
    by name stays and gets what only the others have. Returns the pictures (sorted by id) and the rejected
    (source_file, reason).
    """
    pictures, rejected = [], []
    for _, rows in table.sort_values(["id", "source_file"], kind="stable").groupby("id"):
        values = {name: [value for value in dict.fromkeys(rows[name]) if value] for name in rows.columns}
        conflict = next((name for name in ["person", *tasks] if len(values[name]) > 1), None)
        if conflict:
            kind = f"the same picture under two {'persons' if conflict == 'person' else 'labels'}"
            reason = f"{kind}: {conflict} is {' and '.join(sorted(values[conflict]))}"
            rejected += [(file, reason) for file in dict.fromkeys(rows["source_file"])]
        else:
            pictures.append({name: different[0] if different else "" for name, different in values.items()})
    return pd.DataFrame(pictures, columns=table.columns), pd.DataFrame(rejected, columns=["source_file", "reason"])
