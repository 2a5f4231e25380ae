"""What training and evaluation left of one model, read back."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from stages.errors import StudyError

HISTORY_COLUMNS = ["epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy"]


@dataclass(frozen=True)
class Result:
    """One trained model: a row of `history` per epoch (accuracy in 0..1), and its validation scores."""

    task: str
    variant: str
    title: str
    seed: int
    history: pd.DataFrame
    scores: dict[str, Any]

    @property
    def reason(self) -> str | None:
        """Why there is no model; None where there is one."""
        reason: str | None = self.scores.get("reason")
        return reason

    @property
    def name(self) -> str:
        """The name of the folder of the model's pictures."""
        return f"{self.variant}_{self.seed}"


def read_result(folder: Path, task: str, variant: str, title: str, seed: int) -> Result:
    """Read history.csv and scores.json; raises StudyError where one is missing or not as it should be."""
    scores = read_json(folder / "scores.json")
    path = folder / "history.csv"
    history = read_table(path)
    absent = [column for column in HISTORY_COLUMNS if column not in history]
    if absent:
        raise StudyError(f"{path} lacks the column {absent[0]}; delete it and run `dvc repro`")
    result = Result(task, variant, title, seed, history, scores)
    if result.reason is None and history.empty:
        raise StudyError(f"{path} holds no epoch, though {folder / 'scores.json'} holds scores; run `dvc repro`")
    return result


def read_table(path: Path, text: bool = False) -> pd.DataFrame:
    """A table from a CSV file, as numbers or as text; raises StudyError where it is missing or no table."""
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False) if text else pd.read_csv(path)
    except FileNotFoundError:
        raise missing(path) from None
    except (ValueError, UnicodeDecodeError) as error:
        raise StudyError(f"{path} is not readable as a table ({error}); delete it and run `dvc repro`") from None


def read_json(path: Path) -> dict[str, Any]:
    """An object from a JSON file; raises StudyError where it is missing or holds something else."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise missing(path) from None
    except ValueError as error:
        raise StudyError(f"{path} is not readable as JSON ({error}); delete it and run `dvc repro`") from None
    if not isinstance(values, dict):
        raise StudyError(f"{path} holds no JSON object; delete it and run `dvc repro`")
    return values


def entry(study: dict[str, Any], kind: str, name: str) -> Any:
    """What the study says of a name among its `tasks` or `variants`; raises StudyError with those it has."""
    if name not in study[kind]:
        raise StudyError(f"the study has no {name!r} among its {kind}; it has {', '.join(study[kind])}")
    return study[kind][name]


def missing(path: Path) -> StudyError:
    """The error that names a file an earlier stage should have written."""
    return StudyError(f"{path} is not there; `dvc repro` runs the stage that writes it")
