from pathlib import Path
from shutil import copytree

import pytest

from facestudy.contracts.counts import DownloadReport, LeaksReport, PreprocessReport, PretrainingReport, SplitReport
from facestudy.contracts.differences import Differences
from facestudy.contracts.exports import ExportReport, ExportTiming
from facestudy.contracts.results import Result
from facestudy.contracts.scores import Scores
from facestudy.contracts.study import Study
from facestudy.errors import StudyError
from facestudy.models.metadata import TrainingTiming
from facestudy.project.files import Contract, read_json, read_result, write_json
from tests.study_maker import ROOT, make_study, write

CONTRACTS: dict[str, type[Contract]] = {
    "data/study.json": Study,
    "metrics/download.json": DownloadReport,
    "metrics/pretraining.json": PretrainingReport,
    "metrics/*/split.json": SplitReport,
    "metrics/*/leaks.json": LeaksReport,
    "metrics/*/preprocess.json": PreprocessReport,
    "metrics/*/*/*/scores.json": Scores,
    "metrics/exports/*/*/*.json": ExportReport,
    "metrics/differences/*.json": Differences,
    "timings/*/*/*/train.json": TrainingTiming,
    "timings/*/*/*/export.json": ExportTiming,
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with a task without labels; not to be changed."""
    folder = tmp_path_factory.mktemp("study")
    make_study(folder, empty="emotion", seeds=(0, 1), variants=["vgg16"], histograms=False)
    return folder


def rewritten(path: Path, contract: type[Contract], target: Path) -> bytes:
    write_json(target, read_result(path, contract))
    return target.read_bytes()


def test_every_file_is_read_and_written_as_the_same_bytes(made: Path, tmp_path: Path) -> None:
    read = {path for pattern in CONTRACTS for path in made.glob(pattern)}
    assert read == set(made.rglob("*.json"))
    for root in (made, ROOT):  # of this repository the results that are in it
        for pattern, contract in CONTRACTS.items():
            for path in root.glob(pattern):
                assert rewritten(path, contract, tmp_path / "again.json") == path.read_bytes(), path


@pytest.mark.parametrize(
    ("change", "message"),
    [({"accuracy": None}, "accuracy"), ({"extra": 1}, "extra"), ({"epoch": {"kept": 1}}, r"epoch\.rule")],
)
def test_a_file_that_breaks_its_contract_is_named_with_the_key(
    made: Path, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    scores = read_json(made / "metrics/face/vgg16/0/scores.json", Scores)
    path = tmp_path / "scores.json"
    write(path, scores.model_dump() | change)
    with pytest.raises(StudyError, match=rf"scores\.json: {message}: .*dvc repro"):
        read_json(path, Scores)


def test_a_history_without_a_column_or_an_epoch_is_refused(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copytree(made / "metrics", tmp_path / "metrics")
    monkeypatch.chdir(tmp_path)
    path = Path("metrics/face/vgg16/1/history.csv")
    header = path.read_text().splitlines(keepends=True)[0]
    for text, message in ((header.replace("val_loss", "loss"), "lacks the column val_loss"), (header, "no epoch")):
        path.write_text(text)
        with pytest.raises(StudyError, match=rf"history\.csv .*{message}"):
            Result.read("face", "vgg16", "VGG16", 1)
