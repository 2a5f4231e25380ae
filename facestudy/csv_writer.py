"""Tables written as CSV files."""

from pathlib import Path

import pandas as pd

from facestudy.project.files import write_text


def write_csv(target: Path, table: pd.DataFrame) -> None:
    """Write a table without its row numbers; floats keep every digit, so that they read back the same."""
    write_text(target, table.to_csv(index=False, lineterminator="\n"))
