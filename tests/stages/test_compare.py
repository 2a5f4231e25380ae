import json
import re
from contextlib import chdir
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from facestudy.errors import StudyError
from stages.compare import compare
from tests.study_maker import EMOTION, READ_BY_COMPARE, TITLES, make_study

SIGNS = ["$\\frac{", "<b>|x", "a\nb", "happy", "_" * 60]
PICTURE = Path("plots/comparison/emotion.png")
CORRUPTED, DIFFERENCES = Path("plots/comparison/emotion_corruptions.png"), Path("metrics/differences/emotion.json")
TABLES = [Path("plots") / name / "emotion.csv" for name in ("curves", "confusion", "confusion_zscore", "corruptions")]


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three variants of a task, compared; not to be changed."""
    folder = tmp_path_factory.mktemp("study")
    make_study(folder, histograms=False)
    with chdir(folder):
        compare("emotion")
    return folder


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same study before it is compared, in which the test then stands."""
    make_study(tmp_path, histograms=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def outputs(folder: Path) -> dict[str, bytes]:
    return {str(path): (folder / path).read_bytes() for path in (PICTURE, CORRUPTED, DIFFERENCES, *TABLES)}


def test_the_table_of_curves_holds_every_history(compared: Path) -> None:
    curves = pd.read_csv(compared / "plots/curves/emotion.csv")
    assert len(curves) == 10 + 15 + 15
    assert list(dict.fromkeys(curves["variant"])) == list(TITLES)
    history = pd.read_csv(compared / "metrics" / "emotion" / "resnet18_scratch" / "0" / "history.csv")
    of_one = curves[curves["variant"] == "resnet18_scratch"].reset_index(drop=True)
    assert list(curves.columns) == ["variant", "seed", *list(history.columns)[:5]]
    pd.testing.assert_frame_equal(of_one[history.columns[:5]], history[history.columns[:5]])


def test_cells_of_the_confusion_tables_are_those_of_the_scores(compared: Path) -> None:
    scores = json.loads((compared / "metrics" / "emotion" / "vgg16" / "0" / "scores.json").read_text())
    for name, measure, key in (
        ("confusion", "count", "confusion_matrix"),
        ("confusion_zscore", "zscore", "confusion_matrix_zscore"),
    ):
        cells = pd.read_csv(compared / "plots" / name / "emotion.csv")
        of_one = cells[cells["variant"] == "vgg16"].set_index(["truth", "prediction"])[measure]
        for row, truth in enumerate(EMOTION):
            for column, prediction in enumerate(EMOTION):
                assert of_one[truth, prediction] == pytest.approx(scores[key][row][column])


def test_the_picture_is_small_and_bears_no_date(compared: Path) -> None:
    assert (compared / PICTURE).stat().st_size < 100_000
    with Image.open(compared / PICTURE) as opened:
        assert opened.info.keys() <= {"transparency"}
        assert min(opened.size) > 200


def test_the_same_numbers_give_the_same_bytes(compared: Path, study: Path) -> None:
    compare("emotion")
    assert outputs(study) == outputs(compared)


def test_other_numbers_give_another_picture(compared: Path, study: Path) -> None:
    path = Path("metrics/emotion/vgg16/0/scores.json")
    scores = json.loads(path.read_text())
    path.write_text(json.dumps(scores | {"accuracy": 0.5, "accuracy_interval": [0.4, 0.6]}))
    compare("emotion")
    now, before = outputs(study), outputs(compared)
    assert {name for name in now if now[name] != before[name]} == {str(PICTURE)}
    path.write_text(json.dumps(scores | {"balanced_accuracy": 0.5, "balanced_accuracy_interval": [0.4, 0.6]}))
    compare("emotion")
    now = outputs(study)
    assert {name for name in now if now[name] != before[name]} == {str(CORRUPTED)}


def test_other_predictions_give_another_difference(compared: Path, study: Path) -> None:
    path = Path("metrics/emotion/vgg16/0/predictions.csv")
    table = pd.read_csv(path)
    table.assign(prediction="sad").to_csv(path, index=False)
    compare("emotion")
    now, before = outputs(study), outputs(compared)
    assert {name for name in now if now[name] != before[name]} == {str(DIFFERENCES)}
    pairs = json.loads(DIFFERENCES.read_text())["by_seed"]["0"]
    assert {pair["second"] for pair in pairs if pair["p"] < 1e-9} == {"vgg16"}


def test_pictures_of_a_person_are_tested_together(study: Path) -> None:
    compare("face")
    by_picture = json.loads(Path("metrics/differences/face.json").read_text())["by_seed"]["0"]
    for path in Path("metrics/face").glob("*/0/predictions.csv"):
        table = pd.read_csv(path)
        table.assign(person_group=table.index // 30).to_csv(path, index=False)
    compare("face")
    by_person = json.loads(Path("metrics/differences/face.json").read_text())["by_seed"]["0"]
    assert not any(pair["by_person"] for pair in by_picture) and all(pair["by_person"] for pair in by_person)
    assert [pair["better"] for pair in by_picture] == [pair["better"] for pair in by_person]
    assert all(one["p"] != other["p"] for one, other in zip(by_picture, by_person, strict=True))


def test_seeds_each_have_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_study(tmp_path, seeds=(0, 1), variants=["vgg16"], histograms=False)
    monkeypatch.chdir(tmp_path)
    compare("face")
    assert {len(rows) for _, rows in pd.read_csv("plots/curves/face.csv").groupby("seed")} == {10}
    for name in ("curves", "confusion", "confusion_zscore", "corruptions"):
        assert set(pd.read_csv(f"plots/{name}/face.csv")["seed"]) == {0, 1}
    assert set(json.loads(Path("metrics/differences/face.json").read_text())["by_seed"]) == {"0", "1"}


def test_folds_are_merged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_study(tmp_path, seeds=(0, 1), variants=["vgg16", "resnet18_scratch"], histograms=False)
    monkeypatch.chdir(tmp_path)
    for path in Path("metrics/face").glob("*/*/predictions.csv"):
        table = pd.read_csv(path)
        table.assign(file=f"{path.parent.name}_" + table["file"]).to_csv(path, index=False)
    compare("face")
    differences = json.loads(Path("metrics/differences/face.json").read_text())
    (pair,) = differences["by_seed"]["all"]
    assert set(differences["by_seed"]) == {"all"} and differences["over_seeds"][0]["seeds"] == 2
    tables = {
        variant: pd.concat(pd.read_csv(f"metrics/face/{variant}/{seed}/predictions.csv") for seed in (0, 1))
        for variant in (pair["first"], pair["second"])
    }
    first, second = ((table["truth"] == table["prediction"]).to_numpy() for table in tables.values())
    assert (pair["better"], pair["worse"]) == ((first & ~second).sum(), (second & ~first).sum())


def test_a_task_without_labels_has_a_picture_and_empty_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_study(tmp_path, empty="emotion", variants=["vgg16"], histograms=False)
    monkeypatch.chdir(tmp_path)
    compare("emotion")
    for picture in (PICTURE, CORRUPTED):
        with Image.open(picture) as opened:
            assert opened.width > opened.height > 100
    assert json.loads(DIFFERENCES.read_text()) == {"by_seed": {}, "over_seeds": []}
    assert all(pd.read_csv(table).empty for table in TABLES)


def test_signs_in_a_label_are_drawn_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_study(tmp_path, emotions=SIGNS, variants=["vgg16"], histograms=False)
    monkeypatch.chdir(tmp_path)
    compare("emotion")
    assert set(pd.read_csv("plots/confusion/emotion.csv")["truth"]) == set(SIGNS)


@pytest.mark.parametrize("name", READ_BY_COMPARE)
def test_a_missing_file_is_named_and_nothing_is_left(study: Path, name: str) -> None:
    missing = Path("metrics/emotion/resnet18_scratch/0") / name
    missing.unlink()
    with pytest.raises(StudyError, match=rf"{re.escape(str(missing))}.*dvc repro"):
        compare("emotion")
    assert not Path("plots").exists()


def test_an_unknown_task_is_refused(study: Path) -> None:
    with pytest.raises(StudyError, match=r"voice.*face, emotion"):
        compare("voice")
