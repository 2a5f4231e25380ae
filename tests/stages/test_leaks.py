"""Planted leaks of every kind, found by the check and, where asked for, put in one split by the split."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageEnhance, ImageOps

from facestudy.csv_writer import write_csv
from facestudy.errors import StudyError
from facestudy.project import paths
from facestudy.project.persons import person_groups
from facestudy.project.tables import read_csv
from stages.download import download
from stages.leaks import leaks
from stages.split import split
from tests.inputs import write_labels, write_params

PICTURES = 60


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """60 pictures, half of them of the target, the others of 30 people; every fifth is in validation."""
    monkeypatch.chdir(tmp_path)
    write_params(tmp_path, {})
    folder = tmp_path / paths.RAW / "images"
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in range(PICTURES):
        coarse = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((64, 64), Image.Resampling.BICUBIC).save(folder / name(number))
    table = pd.DataFrame({"file": [name(number) for number in range(PICTURES)]})
    table["person"] = ["him" if number % 2 else f"p{number}" for number in range(PICTURES)]
    table["face"] = ["target" if number % 2 else "stranger" for number in range(PICTURES)]
    write_csv(paths.RAW / "index.csv", table.assign(emotion=""))
    set_splits(lambda number: number % 5 == 0)
    return tmp_path


def name(number: int) -> str:
    return f"{number:02d}.png"


def set_splits(to_validation: Callable[[int], bool]) -> None:
    index = pd.read_csv(paths.RAW / "index.csv", dtype=str)
    splits = ["validation" if to_validation(number) else "train" for number in range(len(index))]
    labels = ["target" if label == "target" else "other" for label in index["face"]]
    table = pd.DataFrame({"file": index["file"], "label": labels, "split": splits, "group": index["file"]})
    write_csv(paths.split("face"), table)


def picture(number: int) -> Image.Image:
    return Image.open(paths.RAW / "images" / name(number)).convert("RGB")


def plant(kind: str) -> None:
    """Picture 2, in train, becomes like picture 0, in validation; or shows the same person."""
    target = paths.RAW / "images" / name(2)
    if kind == "exact copy":
        picture(0).save(target)
    elif kind == "brighter":
        ImageEnhance.Brightness(picture(0)).enhance(1.2).save(target)
    elif kind == "smaller":
        picture(0).resize((40, 40)).save(target)
    elif kind == "JPEG":
        picture(0).save(target, format="JPEG", quality=30)
    elif kind == "mirrored":
        ImageOps.mirror(picture(0)).save(target)
    elif kind == "cut":
        picture(0).crop((1, 1, 63, 63)).save(target)
    elif kind == "person":
        table = pd.read_csv(paths.RAW / "index.csv", dtype=str, keep_default_na=False)
        table.loc[2, "person"] = "p0"
        write_csv(paths.RAW / "index.csv", table)


def counts() -> dict[str, int]:
    report: dict[str, int] = json.loads((paths.task_metrics("face") / "leaks.json").read_text())
    return {key: report[key] for key in ("exact_copies", "near_copies", "people", "pictures_of_them")}


@pytest.mark.usefixtures("study")
def test_without_leaks_the_check_passes_and_the_target_does_not_count() -> None:
    leaks("face")
    assert set(counts().values()) == {0}
    assert (paths.leaks("face") / "passed.txt").is_file()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("exact copy", {"exact_copies": 1}),
        ("brighter", {"near_copies": 1}),
        ("smaller", {"near_copies": 1}),
        ("JPEG", {"near_copies": 1}),
        ("cut", {"near_copies": 1}),
        ("mirrored", {"near_copies": 1}),
        ("person", {"people": 1, "pictures_of_them": 1}),
    ],
)
def test_a_planted_leak_is_counted_stopped_and_put_in_one_split(
    kind: str, expected: dict[str, int], study: Path
) -> None:
    plant(kind)
    leaks("face")
    none = dict.fromkeys(counts(), 0)
    assert counts() == none | expected
    pairs = pd.read_csv(paths.leaks("face") / "pairs.csv")
    assert list(pairs["first"]) == ([] if kind == "person" else [name(0)])

    write_params(study, {"split.leaks": "stop"})
    with pytest.raises(StudyError, match=r"split leaks.*'stop'\n  0[02].png .*\n.*split.leaks: group"):
        leaks("face")

    write_params(study, {"split.leaks": "group"})
    split("face")
    groups = dict(pd.read_csv(paths.split("face"), dtype=str)[["file", "group"]].to_numpy())
    assert groups[name(0)] == groups[name(2)]
    leaks("face")
    assert counts() == none


@pytest.mark.usefixtures("study")
def test_copies_on_one_side_are_no_leak() -> None:
    plant("exact copy")
    set_splits(lambda number: number >= 50)
    leaks("face")
    assert set(counts().values()) == {0}


@pytest.mark.usefixtures("study")
def test_flat_pictures_are_copies_only_where_every_pixel_is_the_same() -> None:
    for number, shade in ((0, 90), (2, 90), (4, 91)):
        Image.new("RGB", (64, 64), (shade,) * 3).save(paths.RAW / "images" / name(number))
    leaks("face")
    assert (counts()["exact_copies"], counts()["near_copies"]) == (1, 0)


@pytest.mark.usefixtures("study")
def test_a_person_who_alone_shows_an_expression_is_a_leak() -> None:
    """The leak is silent no more where a class is one person: it is the person that is learnt."""
    table = pd.read_csv(paths.RAW / "index.csv", dtype=str, keep_default_na=False)
    table["emotion"] = ["disgust" if number % 2 else "happy" for number in range(PICTURES)]
    write_csv(paths.RAW / "index.csv", table)
    splits = pd.read_csv(paths.split("face"), dtype=str)
    write_csv(paths.split("emotion"), splits.assign(label=table["emotion"]))
    leaks("emotion")
    report = json.loads((paths.task_metrics("emotion") / "leaks.json").read_text())
    assert (report["people"], report["pictures_of_them"]) == (1, 6)


def test_a_task_without_labels_has_no_leaks(study: Path) -> None:
    write_csv(paths.split("emotion"), pd.DataFrame(columns=["file", "label", "split", "group"]))
    leaks("emotion")
    assert json.loads((paths.task_metrics("emotion") / "leaks.json").read_text())["near_copies"] == 0


def test_a_person_in_several_spellings_is_one_person(study: Path) -> None:
    spellings = ["Jos\u00e9", "JOS\u00c9", "Jose\u0301", "jos\u00e9 ", "jos\u00e9\u200b"]
    rows = [
        {"file": name(number), "person": spellings[number % 5] if number < 20 else f"p{number}", "emotion": label}
        for number, label in enumerate(["happy", "sad"] * 30)
    ]
    write_labels(study / "photos" / "labels.csv", rows)
    shutil.copytree(paths.RAW / "images", study / "photos" / "images")
    folder = {"data.source": "folder", "data.folder.path": "photos"}

    def run(group: str) -> pd.DataFrame:
        """The rows of the pictures of this person."""
        write_params(study, {**folder, "split.group": group})
        download()
        split("emotion")
        leaks("emotion")
        table = read_csv(paths.RAW / "index.csv").merge(read_csv(paths.split("emotion")), on="file")
        return table[table["source_file"].isin([f"images/{name(number)}" for number in range(20)])]

    together = run("person")
    assert len(together) == 20 and together["split"].nunique() == 1
    assert person_groups(together, None).nunique() == 1  # by which `evaluate` computes its intervals
    assert json.loads((paths.task_metrics("emotion") / "leaks.json").read_text())["people"] == 0
    apart = run("none")
    report = json.loads((paths.task_metrics("emotion") / "leaks.json").read_text())
    assert (report["people"], report["pictures_of_them"]) == (1, (apart["split"] == "validation").sum())
