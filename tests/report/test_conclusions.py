"""Where there is nothing to learn, or no difference, the numbers say so: small trainings on noise."""

import json
import shutil
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import wandb

from facestudy.contracts.differences import Differences
from facestudy.contracts.results import Result
from facestudy.csv_writer import write_csv
from facestudy.evaluation.differences import differences
from facestudy.evaluation.intervals import mean_share, resampled, roc_auc, share
from facestudy.project import paths
from facestudy.report.conclusions import comparisons, weaknesses
from facestudy.report.study import Model, Part
from stages.evaluate import evaluate
from stages.initial_weights import initial_weights
from stages.train import train
from tests.inputs import pack_noise, write_params

VARIANT, SEEDS = "resnet18_scratch", (0, 1)
LIGHT = {"dim": 60, "normal": 140}  # of the validation pictures, which are those from 60 on


@pytest.fixture(scope="module")
def shuffled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Two trainings of one variant on pictures whose labels are shuffled; not to be changed."""
    folder = tmp_path_factory.mktemp("study")
    write_params(folder, {f"variants.{VARIANT}.epochs.face": 2, "challenges.strengths": [5]})
    with pytest.MonkeyPatch.context() as patch, chdir(folder):
        patch.setenv("WANDB_MODE", "disabled")
        pack_noise(260, train=60)
        index = paths.prepared("face") / "index.csv"
        table = pd.read_csv(index, dtype=str)
        labels = np.random.default_rng(0).permutation(table["label"])
        light = np.where(np.arange(len(table)) < 200, "normal", "dim")
        write_csv(index, table.assign(label=labels, light=light))
        people = [f"p{number // 2}" for number in range(len(table))]
        write_csv(paths.DATA / "raw" / "index.csv", pd.DataFrame({"file": table["file"], "person": people}))
        initial_weights(VARIANT)
        for seed in SEEDS:
            train("face", VARIANT, seed)
            evaluate("face", VARIANT, seed)
        wandb.teardown()  # it keeps the folder and mode of a process's first run, and other tests come after
        yield folder


def model(seed: int) -> Model:
    """A training as if it were of a variant of its own."""
    result = Result.read("face", VARIANT, f"Copy {seed}", seed)
    assert isinstance(result, Result)
    folder = paths.model_metrics("face", VARIANT, seed)
    predictions, corruptions = (pd.read_csv(folder / f"{name}.csv") for name in ("predictions", "corruptions"))
    unread: Any = None
    return Model(replace(result, variant=f"copy_{seed}"), "", predictions, corruptions, unread, None, None)


def part(models: list[Model]) -> Part:
    """The trainings side by side, without what the conclusions do not read."""
    tables = {each.result.variant: each.predictions for each in models}
    pairs = Differences(by_seed={"0": differences(tables)}, over_seeds=[])
    unread: Any = None
    return Part("face", "Face recognition", models, None, unread, unread, unread, pairs)


def test_shuffled_labels_leave_nothing_to_learn(shuffled: Path) -> None:
    for seed in SEEDS:
        scores = json.loads((paths.model_metrics("face", VARIANT, seed) / "scores.json").read_text())
        low, high = scores["balanced_accuracy_interval"]
        assert low <= 0.5 <= high
    study = part([model(seed) for seed in SEEDS])
    for variant in ("copy_0", "copy_1"):
        assert any(sentence.startswith("Nothing was shown to be learned") for sentence in weaknesses(variant, study))
    assert "Nothing was shown to be learned by Copy" in " ".join(comparisons(study))


def test_copies_of_one_variant_do_not_differ(shuffled: Path) -> None:
    text = " ".join(comparisons(part([model(seed) for seed in SEEDS])))
    assert "which chance could explain" in text and "more than chance explains" not in text


def test_corruptions_groups_and_people_are_in_the_files(shuffled: Path) -> None:
    table = pd.read_csv(paths.model_metrics("face", VARIANT, 0) / "corruptions.csv")
    assert (table["pictures"] == 200).all() and set(table["strength"]) == {5} and len(table) == 8
    assert (table["right"] + table["false_positives"] + table["false_negatives"] == table["pictures"]).all()
    scores = json.loads((paths.model_metrics("face", VARIANT, 0) / "scores.json").read_text())
    assert {value: group["pictures"] for value, group in scores["by_group"]["light"].items()} == LIGHT
    points = pd.read_csv(paths.model_metrics("face", VARIANT, 0) / "roc.csv")
    area = np.trapezoid(points["true_accept_rate"], points["false_accept_rate"])
    assert area == pytest.approx(scores["roc_auc"])
    predictions = pd.read_csv(paths.model_metrics("face", VARIANT, 0) / "predictions.csv")
    own = (predictions["truth"] == "target").to_numpy()[:, None]
    area_of = roc_auc(own, predictions[["p_target"]].to_numpy())
    people = np.array([int(Path(file).stem) // 2 for file in predictions["file"]])
    assert scores["roc_auc_interval"] == pytest.approx(resampled(area_of, people, 0), abs=0.02)
    assert (predictions["person_group"].groupby(people).nunique() == 1).all()
    correct = (predictions["truth"] == predictions["prediction"]).to_numpy()
    assert scores["accuracy_interval"] == pytest.approx(share(correct, people))
    truth = (predictions["truth"] == "target").to_numpy().astype(int)
    assert scores["balanced_accuracy_interval"] == pytest.approx(mean_share(correct, truth, people))


def test_every_training_meets_the_same_corrupted_pictures(shuffled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    # The same network as if another seed had trained it.
    source, copy = (paths.model_metrics("face", VARIANT, seed) for seed in (0, 7))
    copy.mkdir(parents=True)
    shutil.copy(source / "history.csv", copy)
    shutil.copy(paths.checkpoint("face", VARIANT, 0), paths.checkpoint("face", VARIANT, 7))
    evaluate("face", VARIANT, 7)
    wandb.teardown()
    assert (copy / "corruptions.csv").read_bytes() == (source / "corruptions.csv").read_bytes()
