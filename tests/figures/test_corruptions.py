from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from facestudy.contracts.results import Result
from facestudy.figures.corruptions import corruptions
from facestudy.project import paths
from tests.study_maker import TITLES, make_study


@pytest.mark.parametrize(("task", "guessing"), [("face", 50), ("emotion", 20)])
def test_panels_show_balanced_accuracy_with_intervals_and_what_guessing_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str, guessing: float
) -> None:
    make_study(tmp_path, variants=["vgg16"], histograms=False)
    monkeypatch.chdir(tmp_path)
    result = Result.read(task, "vgg16", TITLES["vgg16"], 0)
    assert isinstance(result, Result)
    table = pd.read_csv(paths.model_metrics(task, "vgg16", 0) / "corruptions.csv")
    panel, *_ = corruptions([result], [table], "heading").axes
    assert panel.get_ylabel() == "balanced accuracy (%)"
    reached, *_, guessed = [np.asarray(line.get_ydata(), dtype=float) for line in panel.lines]
    of_mask = table.loc[table["kind"] == "mask", "balanced_accuracy"]
    assert reached / 100 == pytest.approx([result.scores.balanced_accuracy, *of_mask])
    assert guessed.tolist() == [guessing, guessing]
