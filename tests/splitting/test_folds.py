"""Cross-validation: each training validates on its own fold, so that every picture is scored once."""

from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import wandb

from facestudy.contracts.scores import Scores
from facestudy.csv_writer import write_csv
from facestudy.models.checkpoints import load_tensors
from facestudy.project import paths
from facestudy.project.files import read_json
from facestudy.project.splits import splits_for
from stages.evaluate import evaluate
from stages.initial_weights import initial_weights
from stages.train import train
from tests.inputs import pack_noise, write_params

VARIANT, PICTURES, TEST = "resnet18_scratch", 60, 10


@pytest.fixture(scope="module")
def crossed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Two trainings of one variant over two folds; not to be changed."""
    folder = tmp_path_factory.mktemp("study")
    write_params(folder, {f"variants.{VARIANT}.epochs.face": 1, "challenges.strengths": [5]})
    with pytest.MonkeyPatch.context() as patch, chdir(folder):
        patch.setenv("WANDB_MODE", "disabled")
        pack_noise(PICTURES, train=0)
        index = paths.prepared("face") / "index.csv"
        table = pd.read_csv(index, dtype=str)
        number = np.arange(PICTURES)
        split = np.where(number < TEST, "test", np.where(number // 2 % 2, "fold_1", "fold_0"))
        write_csv(index, table.assign(split=split))
        write_csv(paths.RAW / "index.csv", table[["file"]].assign(person=""))
        initial_weights(VARIANT)
        for seed in (0, 1):
            train("face", VARIANT, seed)
            evaluate("face", VARIANT, seed)
        wandb.teardown()  # it holds on to the folder and mode of a process's first run, and other tests come after
        yield folder


def test_a_training_validates_on_its_own_fold_and_trains_on_the_others() -> None:
    splits = pd.Series(["fold_0", "fold_2", "test", "fold_1", "fold_0"])
    assert list(splits_for(splits, 1)) == ["train", "train", "test", "validation", "train"]
    assert list(splits_for(splits, 5)) == ["train", "validation", "test", "train", "train"]
    plain = pd.Series(["train", "validation", "test"])
    assert list(splits_for(plain, 1)) == list(plain)


def test_every_picture_is_scored_once_and_the_test_pictures_by_each(crossed: Path) -> None:
    tables = [pd.read_csv(paths.model_metrics("face", VARIANT, seed) / "predictions.csv") for seed in (0, 1)]
    validated = [set(table.loc[table["split"] == "validation", "file"]) for table in tables]
    assert not validated[0] & validated[1]
    assert len(validated[0] | validated[1]) == PICTURES - TEST
    assert [int((table["split"] == "test").sum()) for table in tables] == [TEST, TEST]
    index = pd.read_csv(paths.prepared("face") / "index.csv").set_index("file")["split"]
    assert {index[file] for file in validated[1]} == {"fold_1"}


def test_a_training_does_not_learn_from_its_own_fold(crossed: Path) -> None:
    """Other pictures in the fold that a training validates on leave its weights as they are."""
    before = [load_tensors(paths.checkpoint("face", VARIANT, seed)) for seed in (0, 1)]
    file = paths.prepared("face") / "images.npy"
    images, original = np.load(file), file.read_bytes()
    index = pd.read_csv(paths.prepared("face") / "index.csv")
    images[(index["split"] == "fold_0").to_numpy()] = 0
    np.save(file, images)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "disabled")
        for seed in (0, 1):
            train("face", VARIANT, seed)
        wandb.teardown()
    file.write_bytes(original)
    after = [load_tensors(paths.checkpoint("face", VARIANT, seed)) for seed in (0, 1)]
    same = [all(torch.equal(before[seed][name], after[seed][name]) for name in before[seed]) for seed in (0, 1)]
    assert same == [True, False]


def test_scores_are_those_of_the_own_fold(crossed: Path) -> None:
    for seed in (0, 1):
        folder = paths.model_metrics("face", VARIANT, seed)
        table = pd.read_csv(folder / "predictions.csv")
        own = table[table["split"] == "validation"]
        assert read_json(folder / "scores.json", Scores).accuracy == (own["truth"] == own["prediction"]).mean()
