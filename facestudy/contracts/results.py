"""What training and evaluation write of one model, read back."""

from dataclasses import dataclass

import pandas as pd

from facestudy.contracts.scores import Scores
from facestudy.errors import StudyError
from facestudy.project import paths
from facestudy.project.files import Unavailable, read_result
from facestudy.project.tables import read_csv

HISTORY_COLUMNS = ["epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy"]


@dataclass(frozen=True)
class Result:
    """One trained model: a row of `history` per epoch (accuracy in 0..1), and its validation scores."""

    task: str
    variant: str
    title: str
    seed: int
    history: pd.DataFrame
    scores: Scores

    @property
    def name(self) -> str:
        """The name of the folder of the model's figures."""
        return f"{self.variant}_{self.seed}"

    @classmethod
    def read(cls, task: str, variant: str, title: str, seed: int) -> "Result | Unavailable":
        """Read history.csv and scores.json; raises StudyError where one is missing or not as it should be."""
        folder = paths.model_metrics(task, variant, seed)
        scores = read_result(folder / "scores.json", Scores)
        path = folder / "history.csv"
        history = read_csv(path, text=False)
        absent = [column for column in HISTORY_COLUMNS if column not in history]
        if absent:
            raise StudyError(f"{path} lacks the column {absent[0]}; delete it and run `dvc repro`")
        if isinstance(scores, Unavailable):
            return scores
        if history.empty:
            raise StudyError(f"{path} holds no epoch, though {folder / 'scores.json'} holds scores; run `dvc repro`")
        return cls(task, variant, title, seed, history, scores)
