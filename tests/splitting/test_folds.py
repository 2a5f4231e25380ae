"""Cross-validation: each training validates on its own fold, so that every picture is scored once."""

from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import wandb

from stages import paths
from stages.evaluate import evaluate
from stages.figures.results import read_json
from stages.splitting.folds import seen_by
from stages.start import start
from stages.train import train
from stages.writing import write_csv
from tests.photos import pack_noise, write_params

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
        place = np.arange(PICTURES)
        split = np.where(place < TEST, "test", np.where(place // 2 % 2, "fold_1", "fold_0"))
        write_csv(index, table.assign(split=split))
        write_csv(paths.RAW / "index.csv", table[["file"]].assign(person=""))
        start(VARIANT)
        for seed in ("0", "1"):
            train("face", VARIANT, seed)
            evaluate("face", VARIANT, seed)
        wandb.teardown()  # it keeps the folder and mode of a process's first run, and other tests come after
        yield folder


def test_a_training_sees_its_own_fold_as_validation_and_the_others_as_train() -> None:
    splits = pd.Series(["fold_0", "fold_2", "test", "fold_1", "fold_0"])
    assert list(seen_by(splits, 1)) == ["train", "train", "test", "validation", "train"]
    assert list(seen_by(splits, 5)) == ["train", "validation", "test", "train", "train"]
    plain = pd.Series(["train", "validation", "test"])
    assert list(seen_by(plain, 1)) == list(plain)


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
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "disabled")
        before = {seed: paths.checkpoint("face", VARIANT, seed).read_bytes() for seed in (0, 1)}
        file = paths.prepared("face") / "images.npy"
        images, kept = np.load(file), file.read_bytes()
        index = pd.read_csv(paths.prepared("face") / "index.csv")
        images[(index["split"] == "fold_0").to_numpy()] = 0
        np.save(file, images)
        for seed in (0, 1):
            train("face", VARIANT, str(seed))
        wandb.teardown()
        after = {seed: paths.checkpoint("face", VARIANT, seed) for seed in (0, 1)}
        weights = {seed: path.read_bytes()[-4_000_000:] for seed, path in after.items()}  # the header holds hashes
        file.write_bytes(kept)
    assert weights[0] == before[0][-4_000_000:]
    assert weights[1] != before[1][-4_000_000:]


def test_scores_are_those_of_the_own_fold(crossed: Path) -> None:
    for seed in (0, 1):
        folder = paths.model_metrics("face", VARIANT, seed)
        table = pd.read_csv(folder / "predictions.csv")
        own = table[table["split"] == "validation"]
        assert read_json(folder / "scores.json")["accuracy"] == (own["truth"] == own["prediction"]).mean()
