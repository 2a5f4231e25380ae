"""The default set: what its table holds, and that it is a study (a detector finds it, it is neither easy nor noise)."""

from pathlib import Path

import cv2
import joblib
import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from facestudy.project import sections
from facestudy.synthetic import photo_sets

PARAMS = Path(__file__).parents[2] / "params.yaml"


def _settings(**changed: object) -> sections.Sample:
    return sections.Sample.model_validate({**yaml.safe_load(PARAMS.read_text())["data"]["sample"], **changed})


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    folder = tmp_path_factory.mktemp("drawn")
    return folder, photo_sets.collect(_settings(), 0, folder)


def _few() -> sections.Sample:
    return _settings(size=48, target_pictures=8, other_pictures=30, look_alikes=3, emotion_pictures=70)


@pytest.mark.slow
def test_table_holds_both_tasks_as_the_settings_ask(drawn: tuple[Path, pd.DataFrame]) -> None:
    folder, table = drawn
    assert sorted(table["file"]) == sorted(path.name for path in folder.iterdir())
    assert table["file"].is_unique
    assert all(isinstance(cell, str) for cell in table.to_numpy().ravel())
    assert table["face"].value_counts().to_dict() == {"": 1000, "other": 861, "target": 215}
    emotions = dict.fromkeys(["happy", "sad", "angry", "surprise", "neutral"], 200)
    assert table["emotion"].value_counts().to_dict() == {"": 1076, **emotions}
    assert not ((table["face"] != "") & (table["emotion"] != "")).any()
    assert table.loc[table["origin"] == "look_alike", "person"].nunique() == _settings().look_alikes


@pytest.mark.slow
def test_no_person_is_in_both_tasks_or_twice_in_emotion(drawn: tuple[Path, pd.DataFrame]) -> None:
    table = drawn[1]
    emotion = table[table["emotion"] != ""]
    assert emotion["person"].is_unique
    assert not set(emotion["person"]) & set(table.loc[table["face"] != "", "person"])
    assert set(table.loc[table["face"] == "target", "person"]) == {"target"}


@pytest.mark.slow
def test_pictures_and_circumstances_vary(drawn: tuple[Path, pd.DataFrame]) -> None:
    folder, table = drawn
    assert set(table["light"]) == {"bright", "normal", "side", "dim", "very_dark"}
    assert set(table["occlusion"]) == {"none", "hand", "mask", "sunglasses", "hair"}
    assert (table["light"] == "very_dark").mean() < 0.1
    assert (table["occlusion"] != "none").mean() < 0.25
    assert len({(folder / name).read_bytes() for name in table["file"]}) == len(table)
    face = table[table["face"] == "target"]
    assert set(face["shown"]) == {"happy", "sad", "angry", "surprise", "neutral"}


def test_bytes_depend_on_the_seed_and_not_on_the_number_of_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = [photo_sets.collect(_few(), 5, tmp_path / "one")]
    monkeypatch.setattr(joblib, "cpu_count", lambda: 1)
    tables += [photo_sets.collect(_few(), 5, tmp_path / "two"), photo_sets.collect(_few(), 6, tmp_path / "three")]
    pd.testing.assert_frame_equal(tables[0], tables[1])
    for name in tables[0]["file"]:
        first = (tmp_path / "one" / name).read_bytes()
        assert first == (tmp_path / "two" / name).read_bytes()
        assert first != (tmp_path / "three" / name).read_bytes()


def test_fewer_pictures_are_the_first_of_more(tmp_path: Path) -> None:
    more, fewer = _few(), _few().model_copy(update={"emotion_pictures": 20})
    photo_sets.collect(more, 5, tmp_path / "more")
    table = photo_sets.collect(fewer, 5, tmp_path / "fewer")
    for name in table.loc[table["emotion"] != "", "file"]:
        assert (tmp_path / "more" / name).read_bytes() == (tmp_path / "fewer" / name).read_bytes()


def test_no_look_alikes_where_none_are_asked_for(tmp_path: Path) -> None:
    table = photo_sets.collect(_few().model_copy(update={"look_alikes": 0}), 5, tmp_path)
    assert set(table["origin"]) == {"target", "stranger"}
    assert (table["face"] == "other").sum() == 30


def test_pretraining_spreads_people_and_emotions(tmp_path: Path) -> None:
    table = photo_sets.collect_pretraining(8, 80, ["happy", "sad", "angry", "surprise"], 48, 5, tmp_path)
    assert list(table.columns) == ["file", "person", "emotion", "light", "occlusion"]
    assert set(table["person"].value_counts()) == {10}
    assert set(table["emotion"].value_counts()) == {20}
    assert pd.crosstab(table["person"], table["emotion"]).to_numpy().min() >= 2
    assert Image.open(tmp_path / table["file"][0]).size == (48, 48)


def test_pretraining_has_people_whom_hair_and_skin_do_not_tell_apart() -> None:
    persons = photo_sets.pretraining_people(3 * photo_sets.FAMILY, 5)
    looks = [(one.hair_style, one.beard, one.glasses, one.skin) for one in persons]
    families = [looks[start : start + photo_sets.FAMILY] for start in range(0, len(looks), photo_sets.FAMILY)]
    assert [len(set(family)) for family in families] == [1, 1, 1] and len(set(looks)) == 3
    assert len(set(persons)) == len(persons)


def test_pretraining_shows_no_picture_of_the_study(tmp_path: Path) -> None:
    study = photo_sets.collect(_few(), 5, tmp_path / "study")
    table = photo_sets.collect_pretraining(10, 40, ["happy", "sad"], 48, 5, tmp_path / "pretraining")
    assert not set(table["person"]) & set(study["person"])
    pictures = {path.read_bytes() for path in (tmp_path / "study").iterdir()}
    assert not pictures & {path.read_bytes() for path in (tmp_path / "pretraining").iterdir()}


@pytest.mark.slow
def test_detector_finds_the_uncovered_and_well_lit(drawn: tuple[Path, pd.DataFrame]) -> None:
    folder, table = drawn
    well = table[(table["occlusion"] == "none") & table["light"].isin(["bright", "normal"])].sample(100, random_state=0)
    cascade = cv2.CascadeClassifier(str(Path(cv2.__file__).parent / "data" / "haarcascade_frontalface_default.xml"))
    found = 0
    for name in well["file"]:
        grey = np.asarray(Image.open(folder / name).convert("L"))
        bordered = np.pad(grey, len(grey) // 4, mode="edge")
        found += len(cascade.detectMultiScale(bordered, 1.05, 5, minSize=(len(grey) // 4,) * 2)) > 0
    assert found >= 90


@pytest.mark.slow
@pytest.mark.parametrize(("task", "most"), [("face", 0.90), ("emotion", 0.70)])
def test_set_is_hard_for_a_linear_model_and_not_for_gradients(
    drawn: tuple[Path, pd.DataFrame], task: str, most: float
) -> None:
    """Raw pixels do not give the answer away, while the shapes that a network can learn hold it."""
    folder, table = drawn
    rows = table[table[task] != ""]
    grey = [Image.open(folder / name).convert("L") for name in rows["file"]]
    label = rows[task].to_numpy()
    pixels = np.stack([np.asarray(one.resize((64, 64)), dtype=np.float32).ravel() / 255 for one in grey])
    linear = []
    for train, validation in StratifiedShuffleSplit(2, test_size=0.2, random_state=0).split(pixels, label):
        model = make_pipeline(PCA(100, random_state=0), LogisticRegression(max_iter=500))
        linear.append(model.fit(pixels[train], label[train]).score(pixels[validation], label[validation]))
    hog = cv2.HOGDescriptor((64, 64), (16, 16), (8, 8), (8, 8), 9)
    middle = [np.asarray(one.crop((14, 8, 114, 108)).resize((64, 64))) for one in grey]
    shapes = np.stack([np.asarray(hog.compute(one)).ravel() for one in middle])
    machine = make_pipeline(StandardScaler(), SVC(C=5, gamma="auto")).fit(shapes[train], label[train])
    assert max(np.bincount(np.unique(label, return_inverse=True)[1])) / len(label) < np.mean(linear) <= most
    assert machine.score(shapes[validation], label[validation]) >= {"face": 0.91, "emotion": 0.80}[task]
