"""The same picture more than once: told by its bytes, merged where the labels agree."""

import hashlib
from pathlib import Path

import pandas as pd


def picture_id(path: Path) -> str:
    """First 16 hexadecimal digits of the SHA-256 of a file's bytes; the id of a picture everywhere."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def merge(table: pd.DataFrame, tasks: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One row per picture, and the rows left out because copies of one picture contradict each other.

    `table` has a column `id`, `source_file`, `person`, the tasks, and extras, all text. Of copies
    that agree the first by name stays and takes over what only the others know. Returns the pictures
    (sorted by id) and the rejected (source_file, reason).
    """
    kept, rejected = [], []
    for _, rows in table.sort_values(["id", "source_file"], kind="stable").groupby("id"):
        values = {name: [value for value in dict.fromkeys(rows[name]) if value] for name in rows.columns}
        conflicts = [name for name in ["person", *tasks] if len(values[name]) > 1]
        if conflicts:
            name = conflicts[0]
            kind = "the same picture under two persons" if name == "person" else "the same picture under two labels"
            reason = f"{kind}: {name} is {' and '.join(sorted(values[name]))}"
            rejected += [(file, reason) for file in dict.fromkeys(rows["source_file"])]
        else:
            kept.append({name: found[0] if found else "" for name, found in values.items()})
    return pd.DataFrame(kept, columns=table.columns), pd.DataFrame(rejected, columns=["source_file", "reason"])
