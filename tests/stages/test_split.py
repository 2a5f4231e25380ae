import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from facestudy.csv_writer import write_csv
from facestudy.errors import StudyError
from facestudy.project import paths
from facestudy.project.tables import read_csv
from stages.split import split
from tests.inputs import ROOT, paint, write_labels, write_params


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_params(tmp_path, {})
    return tmp_path


def write_index(face: dict[str, int], emotion: dict[str, int] | None = None, people: int = 0) -> pd.DataFrame:
    """An index with so many pictures of each label; ids and persons are shuffled, but the same every time."""
    labels = [(label, "") for label, count in face.items() for _ in range(count)]
    labels += [("", label) for label, count in (emotion or {}).items() for _ in range(count)]
    random = np.random.default_rng(0)
    table = pd.DataFrame(labels, columns=["face", "emotion"])
    table.insert(0, "file", [f"{number:016x}.png" for number in random.integers(0, 2**62, len(labels))])
    table.insert(1, "person", [f"p{random.integers(people)}" if people else "" for _ in labels])
    write_csv(paths.RAW / "index.csv", table.sort_values("file"))
    return table


def drawn(task: str = "face") -> pd.DataFrame:
    split(task)
    return read_csv(paths.split(task))


def counts(task: str = "face") -> Any:
    return json.loads((paths.task_metrics(task) / "split.json").read_text(encoding="utf-8"))["counts"]


def refused(task: str = "face") -> str:
    with pytest.raises(StudyError) as caught:
        split(task)
    assert not paths.split(task).exists()
    return str(caught.value)


STUDY = {"target": 215, "stranger": 861}


def test_the_sizes_of_the_study_and_the_form_of_the_tables(study: Path) -> None:
    write_index(STUDY | {"": 3}, {"happy": 280, "sad": 129})
    table = drawn()
    assert counts() == {"train": {"other": 688, "target": 172}, "validation": {"other": 173, "target": 43}}
    assert list(table.columns) == ["file", "label", "split", "group"]
    assert list(table["file"]) == sorted(table["file"])
    assert table["file"].is_unique
    report = json.loads((paths.task_metrics("face") / "split.json").read_text(encoding="utf-8"))
    assert (report["reason"], report["classes"], report["group"]) == (None, ["other", "target"], "none")
    assert len(drawn("emotion")) == 409
    assert counts("emotion")["validation"] == {"happy": 56, "sad": 26}


def test_a_positive_label_is_found_whatever_its_case_and_has_the_name_in_params_yaml(study: Path) -> None:
    write_index({"colin_powell": 5, "a": 3, "b": 2})
    write_params(study, {"tasks.face.positive": "Colin_Powell"})
    assert set(drawn()["label"]) == {"Colin_Powell", "other"}


def test_a_task_without_a_positive_label_keeps_all_its_classes(study: Path) -> None:
    write_index({"b": 5, "a": 5, "c": 5})
    write_params(study, {"tasks.face.positive": None})
    split("face")
    assert list(counts()["train"]) == ["a", "b", "c"]


def test_the_order_of_the_index_does_not_matter_and_the_seed_does(study: Path) -> None:
    table = write_index(STUDY)
    first = drawn()
    write_csv(paths.RAW / "index.csv", table.sample(frac=1, random_state=1))
    assert drawn().equals(first)
    write_params(study, {"seed": 1})
    assert not drawn().equals(first)


@pytest.mark.parametrize(("group", "maximum"), [("none", 4), ("person", 50)])  # a new draw would move 340
def test_one_more_photo_moves_few_others(study: Path, group: str, maximum: int) -> None:
    write_params(study, {"split.group": group})
    table = write_index(STUDY, people=300)
    before = drawn().set_index("file")["split"]
    one = {"file": "0123456789abcdef.png", "person": "new", "face": "stranger", "emotion": ""}
    write_csv(paths.RAW / "index.csv", pd.concat([table, pd.DataFrame([one])]))
    after = drawn().set_index("file")["split"]
    assert (before != after[before.index]).sum() <= maximum


def test_a_test_split_leaves_the_validation_split_as_it_was(study: Path) -> None:
    write_index(STUDY)
    before = drawn()
    write_params(study, {"split.test": 0.1})
    after = drawn()
    assert list(after["split"] == "validation") == list(before["split"] == "validation")
    assert counts()["test"] == {"other": 86, "target": 22}


def test_folds_are_alike_and_hold_every_picture_once(study: Path) -> None:
    write_params(study, {"split.folds": 5, "split.test": 0.1, "seeds": [0, 1, 2, 3, 4]})
    write_index(STUDY)
    table = drawn()
    assert list(counts()) == [*(f"fold_{number}" for number in range(5)), "test"]
    assert counts()["test"] == {"other": 86, "target": 22}
    for number in range(5):
        assert counts()[f"fold_{number}"]["other"] == pytest.approx((861 - 86) / 5, abs=1)
        assert counts()[f"fold_{number}"]["target"] == pytest.approx((215 - 22) / 5, abs=1)
    assert sum(sum(labels.values()) for labels in counts().values()) == len(table) == 1076


def test_nobody_is_in_two_folds(study: Path) -> None:
    write_params(study, {"split.group": "person", "split.folds": 4, "seeds": [0, 1, 2, 3]})
    index = write_index({}, {"happy": 400, "sad": 300, "angry": 100}, people=150)
    table = drawn("emotion").merge(index, on="file")
    assert (table.groupby("person")["split"].nunique() == 1).all()
    for labels in counts("emotion").values():
        for label, whole in {"happy": 400, "sad": 300, "angry": 100}.items():
            assert labels[label] == pytest.approx(whole / 4, abs=12)


@pytest.mark.parametrize(
    ("target", "folds", "expected"),
    [(4, 5, "each needs 5, to be in all 5 folds. There are: 40 other, 4 target"), (3, 2, "each needs 4"), (5, 5, None)],
)
def test_each_class_must_be_in_every_fold(study: Path, target: int, folds: int, expected: str | None) -> None:
    write_params(study, {"split.folds": folds, "seeds": list(range(folds))})
    write_index({"target": target, "stranger": 40})
    if expected is None:
        split("face")
        assert all(labels["target"] == 1 for labels in counts().values())
    else:
        assert expected in refused()


def test_nobody_is_on_both_sides(study: Path) -> None:
    write_params(study, {"split.group": "person", "split.test": 0.1})
    index = write_index({}, {"happy": 400, "sad": 300, "angry": 100}, people=150)
    table = drawn("emotion").merge(index, on="file")
    assert (table.groupby("person")["split"].nunique() == 1).all()
    assert list(table["group"]) == list(table["person"])
    for name, share in {"validation": 0.2, "test": 0.1}.items():
        for label, whole in {"happy": 400, "sad": 300, "angry": 100}.items():
            assert counts("emotion")[name][label] == pytest.approx(share * whole, abs=4)


def test_the_person_to_be_known_is_on_both_sides_alone(study: Path) -> None:
    write_params(study, {"split.group": "person"})
    index = write_index(STUDY, people=200)
    index.loc[index["face"] == "target", "person"] = "the target"
    write_csv(paths.RAW / "index.csv", index)
    table = drawn().merge(index, on="file")
    sides = table.groupby("person")["split"].nunique()
    assert sides["the target"] == 2
    assert (sides.drop("the target") == 1).all()
    assert counts()["validation"]["target"] == 43


def test_target_pictures_without_a_name_leave_the_target_person_on_both_sides(study: Path) -> None:
    write_params(study, {"split.group": "person"})
    index = write_index(STUDY, people=200)
    index.loc[index["face"] == "target", "person"] = ["the target"] * 200 + [""] * 15
    write_csv(paths.RAW / "index.csv", index)
    table = drawn().merge(index, on="file")
    assert table.groupby("person")["split"].nunique()["the target"] == 2


def test_the_only_other_person_of_a_binary_task_stays_on_one_side(study: Path) -> None:
    write_params(study, {"split.group": "person"})
    index = write_index({"target": 50, "stranger": 40})
    index["person"] = index["face"]
    write_csv(paths.RAW / "index.csv", index)
    assert "needs 3" in refused()  # "other" is one group


def test_an_expression_of_one_person_alone_stays_on_one_side(study: Path) -> None:
    write_params(study, {"split.group": "person"})
    index = write_index({}, {"happy": 400, "sad": 300, "disgust": 60}, people=150)
    index.loc[index["emotion"] == "disgust", "person"] = ["one actor"] * 45 + [f"d{number}" for number in range(15)]
    write_csv(paths.RAW / "index.csv", index)
    assert drawn("emotion").merge(index, on="file").groupby("person")["split"].nunique().max() == 1
    index.loc[index["emotion"] == "disgust", "person"] = "one actor"
    write_csv(paths.RAW / "index.csv", index)
    with pytest.raises(StudyError, match=r"disgust, .* in groups: 1 disgust"):
        split("emotion")


def test_who_is_it_has_everybody_on_both_sides(study: Path) -> None:
    write_params(study, {"split.group": "person", "tasks.face.positive": None})
    index = write_index({"anna": 40, "ben": 30, "stranger": 40}, people=20)
    named = index["face"] != "stranger"
    index.loc[named, "person"] = index.loc[named, "face"].str.capitalize()
    write_csv(paths.RAW / "index.csv", index)
    sides = drawn().merge(index, on="file").groupby("person")["split"].nunique()
    assert list(sides[["Anna", "Ben"]]) == [2, 2]
    assert (sides.drop(["Anna", "Ben"]) == 1).all()


def test_near_duplicates_are_on_one_side(study: Path) -> None:
    write_params(study, {"split.group": "near_duplicate", "split.validation": 0.3})
    index = write_index({"target": 30, "stranger": 30})
    random = np.random.default_rng(1)
    (paths.RAW / "images").mkdir()
    for number, file in enumerate(index["file"]):
        if number % 3 == 0:
            scene = random.integers(0, 200, (64, 64, 3))
        # The next two show the same scene, a little brighter and with other noise.
        pixels = scene * (1 + number % 3 / 10) + random.normal(0, 5, scene.shape)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(paths.RAW / "images" / file)
    table = drawn().set_index("file").loc[index["file"]]
    assert table["group"].nunique() == 20
    for start in range(0, 60, 3):
        assert table["group"].iloc[start : start + 3].nunique() == 1
        assert table["split"].iloc[start : start + 3].nunique() == 1


def test_a_task_without_labels_gets_valid_empty_files_with_the_reason(study: Path) -> None:
    write_index({}, {"happy": 5, "sad": 5})
    assert drawn().empty
    assert paths.split("face").read_text(encoding="utf-8") == "file,label,split,group\n"
    report = json.loads((paths.task_metrics("face") / "split.json").read_text(encoding="utf-8"))
    assert "no picture has a label for the task 'face'" in report["reason"]
    assert report["classes"] == []


@pytest.mark.parametrize(
    ("face", "changes", "expected"),
    [
        ({"target": 2, "stranger": 9}, {}, "needs 3, two to train, one for validation. There are: 9 other, 2 target"),
        ({"target": 3, "stranger": 9}, {"split.test": 0.2}, "each needs 4"),
        ({"target": 9}, {}, "task face: one class only (9 target)"),
        ({"stranger": 9, "him": 4}, {}, "positive is 'target', but no picture has this label; there are: 9 stran"),
        ({"target": 9, "stranger": 9}, {"split.group": "person"}, "no picture names its person"),
        ({}, {}, "has no picture"),
    ],
)
def test_too_few_pictures_are_an_error_with_counts(
    study: Path, face: dict[str, int], changes: dict[str, Any], expected: str
) -> None:
    write_index(face)
    write_params(study, changes)
    assert expected in refused()


def test_a_task_that_is_not_in_params_yaml_is_an_error(study: Path) -> None:
    assert "has no 'smile' there; it has" in refused("smile")


def test_groups_that_cannot_be_assigned_are_listed_with_counts(study: Path) -> None:
    write_params(study, {"split.group": "person", "split.validation": 0.4})
    index = write_index({}, {"happy": 20, "sad": 20})
    index["person"] = ["anna"] * 10 + ["bert"] * 10 + ["anna"] * 10 + ["bert"] * 10
    write_csv(paths.RAW / "index.csv", index)
    split("emotion")  # one person on each side is few, but it is enough
    write_params(study, {"split.group": "person", "split.validation": 0.1})
    with pytest.raises(StudyError, match=r"the nearest was train: 20 happy, 20 sad; validation: 0 happy, 0 sad"):
        split("emotion")
    index["person"] = ["anna"] * 10 + ["bert"] * 10 + ["bert"] * 20
    write_csv(paths.RAW / "index.csv", index)
    with pytest.raises(StudyError, match="20 happy, 20 sad, in groups: 2 happy, 1 sad"):
        split("emotion")


def test_the_smallest_classes_that_are_allowed_reach_both_sides(study: Path) -> None:
    write_index({"target": 3, "stranger": 500})
    split("face")
    assert counts()["validation"]["target"] == 1
    write_params(study, {"split.validation": 0.9})
    write_index({"target": 3, "stranger": 4})
    assert drawn()["split"].value_counts()["train"] >= 4


@pytest.mark.parametrize("changes", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}])
def test_labels_and_file_names_in_a_terminal_without_their_letters(study: Path, changes: dict[str, str]) -> None:
    rows = [{"file": f"jos\u00e9{number}.png", "face": "Zo\u00eb" if number % 2 else "\u5feb"} for number in range(8)]
    for number, row in enumerate(rows):
        paint(study / "photos" / "images" / row["file"], number)
    write_labels(study / "photos" / "labels.csv", rows)
    source = {"data.source": "folder", "data.folder.path": "photos"}
    write_params(study, {**source, "tasks.face.positive": "ZO\u00cb"})
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **changes}
    for stage, shown in {"stages.download": "4 zo\\xeb", "stages.split face": "3 ZO\\xcb"}.items():
        command = [sys.executable, "-m", *stage.split()]
        done = subprocess.run(command, env=environment, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        assert shown in done.stdout.decode("ascii")
    assert read_csv(paths.split("face"))["label"].value_counts().to_dict() == {"ZO\u00cb": 4, "other": 4}


def test_labels_of_a_column_that_the_source_does_not_name_are_compared_like_any_other(study: Path) -> None:
    write_params(study, {"tasks.face.positive": None})
    write_index({"Yes": 4, "yes ": 4, "no": 4})
    assert drawn()["label"].value_counts().to_dict() == {"yes": 8, "no": 4}
