"""Tables read from CSV files; facestudy/csv_writer.py writes them."""

from pathlib import Path

import pandas as pd

from facestudy.errors import StudyError
from facestudy.project.files import missing


def read_csv(path: Path, text: bool = True) -> pd.DataFrame:
    """Read a table: every column text with "" for an empty cell, or numbers where they are numbers.

    Raises StudyError where the file is missing or is no table.
    """
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False) if text else pd.read_csv(path)
    except FileNotFoundError:
        raise missing(path) from None
    except (ValueError, UnicodeDecodeError) as error:
        raise StudyError(f"{path} is not readable as a table ({error}); delete it and run `dvc repro`") from None
