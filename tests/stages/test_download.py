import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from facestudy.contracts.counts import DownloadReport, LabelCount
from facestudy.errors import StudyError
from facestudy.project import paths
from facestudy.project.files import read_json
from facestudy.project.tables import read_csv
from stages.download import download
from tests.inputs import NOWHERE, REAL_PHOTOS, ROOT, labelled_folder, paint, write_labels, write_params


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "study").mkdir()
    monkeypatch.chdir(tmp_path / "study")
    write_params(tmp_path / "study", {"data.source": "folder", "data.folder.path": "../photos"})
    return tmp_path / "study"


def index() -> pd.DataFrame:
    return read_csv(paths.RAW / "index.csv")


def rejected() -> dict[str, str]:
    table = read_csv(paths.RAW / "rejected.csv")
    return dict(zip(table["source_file"], table["reason"], strict=True))


def report() -> Any:
    return json.loads(paths.DOWNLOAD_REPORT.read_text(encoding="utf-8"))


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_picture_is_kept_byte_for_byte_under_its_id(study: Path) -> None:
    rows = labelled_folder(study / ".." / "photos")
    download()
    table = index()
    assert len(table) == len(rows)
    assert list(table.columns) == ["file", "person", "face", "emotion", "source_file"]
    assert list(table["file"]) == sorted(table["file"])
    for row in table.to_dict("records"):
        original = study / ".." / "photos" / row["source_file"]
        assert (paths.RAW / "images" / row["file"]).read_bytes() == original.read_bytes()
    assert {path.name for path in (paths.RAW / "images").iterdir()} == set(table["file"])
    assert report() == {
        "source": "folder",
        "pictures": 20,
        "copies": 0,
        "rejected": {},
        "labels": {"face": {"stranger": 5, "target": 5}, "emotion": {"happy": 5, "sad": 5}},
    }
    assert {path.name for path in paths.DATA.iterdir()} == {"raw"}


def test_the_same_photos_give_the_same_bytes_whatever_their_order_and_names(study: Path) -> None:
    rows = labelled_folder(study / ".." / "photos")
    download()
    first = everything(paths.RAW)
    write_labels(study / ".." / "photos" / "labels.csv", rows[::-1])
    download()
    assert everything(paths.RAW) == first


def test_broken_pictures_are_left_out_and_listed(study: Path) -> None:
    photos = study / ".." / "photos"
    rows = labelled_folder(photos)
    (photos / "images" / "f0.png").write_bytes(b"")
    (photos / "images" / "f1.png").write_bytes(b"text")
    (photos / "images" / "f2.png").write_bytes((photos / "images" / "f3.png").read_bytes()[:500])
    (photos / "images" / "e0.png").unlink()
    paint(photos / "images" / "e1.png", 1, size=(1, 90))
    download()
    assert len(index()) == len(rows) - 5
    reasons = {name.removeprefix("images/"): reason.split(":")[0] for name, reason in rejected().items()}
    assert reasons == {
        "e0.png": "no such file",
        "e1.png": "too small",
        "f0.png": "empty file",
        "f1.png": "not a picture",
        "f2.png": "damaged picture",
    }
    assert report()["rejected"] == dict.fromkeys(sorted(reasons.values()), 1)


def test_copies_are_counted_once_and_contradicting_ones_left_out(study: Path) -> None:
    photos = study / ".." / "photos"
    rows = labelled_folder(photos)
    images = photos / "images"

    def copied(source: str, name: str, **labels: str) -> dict[str, str]:
        shutil.copy(images / source, images / name)
        return {"file": name, "person": "", "face": "", "emotion": ""} | labels

    rows += [
        copied("f0.png", "copy.png", face="stranger", person="p0"),
        copied("f2.png", "both.jpg", emotion="sad"),  # another task, and a wrong ending
        copied("f3.png", "contrary.png", face="stranger"),
        copied("e0.png", "somebody.png", emotion="sad", person="else"),
        rows[4],  # the same row twice
    ]
    write_labels(photos / "labels.csv", rows)
    download()
    table = index().set_index("source_file")
    assert len(table) == 20 - 2
    assert report()["copies"] == 3
    assert list(table.loc["images/both.jpg", ["person", "face", "emotion"]]) == ["p0", "stranger", "sad"]
    assert str(table.loc["images/both.jpg", "file"]).endswith(".png")
    assert rejected() == {
        "images/contrary.png": "the same picture under two labels: face is stranger and target",
        "images/f3.png": "the same picture under two labels: face is stranger and target",
        "images/e0.png": "the same picture under two persons: person is else and q0",
        "images/somebody.png": "the same picture under two persons: person is else and q0",
    }


def test_class_folders_with_one_task_missing(study: Path) -> None:
    for number in range(4):
        paint(study / ".." / "photos" / "emotion" / ("sad" if number % 2 else "happy") / f"{number}.png", number)
    download()
    assert report()["labels"] == {"face": {}, "emotion": {"happy": 2, "sad": 2}}


def test_no_picture_at_all_is_refused_with_counts_and_leaves_nothing(study: Path) -> None:
    photos = study / ".." / "photos"
    rows = labelled_folder(photos, faces=3, emotions=0)
    for row in rows:
        (photos / "images" / row["file"]).write_bytes(b"")
    with pytest.raises(StudyError, match=r"no labelled picture is left of 3(.|\n)*3 empty file"):
        download()
    assert not paths.RAW.exists()
    assert not paths.DOWNLOAD_REPORT.exists()
    assert list(paths.DATA.iterdir()) == [paths.REJECTED]


@pytest.mark.parametrize(
    ("written", "there"),
    [
        ("{0}.JPG", "{0}.jpg"),
        ("{0}", "{0}.jpg"),
        ("Photo {0}.png", "photo {0}.jpg"),
        ("lab/{0}.jpg", "sub/{0}.jpg"),
        ("C/My Photos\\{0}.jpg", "{0}.jpg"),
        ("img_{0}.jpg", "img-{0}.jpg"),
    ],
)
def test_wrong_file_names_are_shown_with_those_that_are_there(study: Path, written: str, there: str) -> None:
    photos = study / ".." / "photos"
    numbers = [f"{number:03d}" for number in range(7)]
    for number, name in enumerate(numbers):
        paint(photos / "images" / there.format(name), number)
    write_labels(photos / "labels.csv", [{"file": written.format(name), "face": "x"} for name in numbers])
    with pytest.raises(StudyError) as caught:
        download()
    message = str(caught.value)
    assert "no labelled picture is left of 7" in message and "7 no such file" in message
    asked = str(Path("images", written.format("000").replace("\\", "/")))
    nearest = str(Path("images", there.format("000")))
    assert f"  {asked}: no such file: the nearest name there is {nearest}\n" in message
    assert message.endswith(f"all: {paths.REJECTED}") and len(message.splitlines()) == 7
    listed = read_csv(paths.REJECTED)
    assert list(listed.columns) == ["source_file", "reason"] and len(listed) == 7
    assert all(there.format(name) in reason for name, reason in zip(numbers, listed["reason"], strict=True))
    write_labels(photos / "labels.csv", [{"file": there.format(name), "face": "x"} for name in numbers])
    download()
    assert len(index()) == 7 and not paths.REJECTED.exists()


def test_an_empty_folder_is_refused_with_the_layouts(study: Path) -> None:
    (study / ".." / "photos").mkdir()
    with pytest.raises(StudyError, match="Two layouts work"):
        download()


def test_a_failure_keeps_what_was_there(study: Path) -> None:
    labelled_folder(study / ".." / "photos")
    download()
    first = everything(study)
    (study / ".." / "photos" / "labels.csv").write_text("x", encoding="utf-8")
    with pytest.raises(StudyError):
        download()
    assert everything(study) == first


def test_labels_named_labels_and_pictures_are_labels(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"file": f"{number}.png", "face": ("labels", "pictures")[number % 2]} for number in range(6)]
    rows += [{"file": f"{number}.png", "face": "kind"} for number in (6, 7)]
    for number, row in enumerate(rows):
        paint(study / ".." / "photos" / "images" / row["file"], number)
    write_labels(study / ".." / "photos" / "labels.csv", rows[:6])
    download()
    assert read_json(paths.DOWNLOAD_REPORT, DownloadReport).labels["face"] == {"labels": 3, "pictures": 3}
    write_labels(study / ".." / "photos" / "labels.csv", rows)
    download()
    assert read_json(paths.DOWNLOAD_REPORT, DownloadReport).labels["face"] == {"kind": 2, "labels": 3, "pictures": 3}
    capsys.readouterr()
    people = [{"file": f"{number}.png", "face": f"person {number}"} for number in range(21)]
    for number, row in enumerate(people):
        paint(study / ".." / "photos" / "images" / row["file"], 100 + number)
    write_labels(study / ".." / "photos" / "labels.csv", people)
    download()
    many = LabelCount(kind="totals", labels=21, pictures=21)
    assert read_json(paths.DOWNLOAD_REPORT, DownloadReport).labels["face"] == many
    assert "face: 21 labels, 21 pictures" in capsys.readouterr().out


def test_names_of_people_stay_out_of_what_is_in_git(study: Path) -> None:
    photos = study / ".." / "photos"
    rows = [{"file": f"{number}.png", "face": f"person {number}"} for number in range(30)]
    for number, row in enumerate(rows):
        paint(photos / "images" / row["file"], number)
    rows.append({"file": "0.png", "face": "person 7"})
    write_labels(photos / "labels.csv", rows)
    download()
    assert report()["labels"]["face"] == {"kind": "totals", "labels": 29, "pictures": 29}
    assert "person" not in paths.DOWNLOAD_REPORT.read_text(encoding="utf-8")


@pytest.mark.parametrize("source", ["archive", "git", "drive"])
def test_without_a_network_one_clear_error_names_the_offline_choice(
    study: Path, source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    key = "location" if source == "archive" else "url"
    write_params(study, {"data.source": source, f"data.{source}.{key}": f"{NOWHERE}/photos"})
    with pytest.raises(StudyError, match=r"data\.source: sample"):
        download()
    assert not list(paths.DATA.iterdir())


def test_an_archive_goes_all_the_way(study: Path) -> None:
    labelled_folder(study / ".." / "photos")
    download()
    first = everything(paths.RAW)
    packed = shutil.make_archive(str(study / ".." / "set"), "zip", study / ".." / "photos")
    archive = {"data.source": "archive", "data.archive.location": packed}
    write_params(study, archive)
    with pytest.raises(StudyError) as caught:
        download()
    write_params(study, archive | {"data.archive.sha256": str(caught.value).rsplit(": ", 1)[-1]})
    download()
    assert everything(paths.RAW) == first


def test_clutter_in_an_archive_may_have_any_name(study: Path) -> None:
    """DVC does not look at what was fetched, and no stage looks at clutter."""
    packed, rows = study / ".." / "set.tar", labelled_folder(study / ".." / "photos")
    with tarfile.open(packed, "w", format=tarfile.PAX_FORMAT) as opened:
        opened.add(study / ".." / "photos", "photos")
        opened.addfile(tarfile.TarInfo("photos/images/__MACOSX/._f\udcfc.png"))
    archive = {"location": str(packed), "sha256": hashlib.sha256(packed.read_bytes()).hexdigest()}
    write_params(study, {"data.source": "archive", **{f"data.archive.{key}": value for key, value in archive.items()}})
    download()
    assert report()["pictures"] == len(rows)


def test_a_command_line_shows_one_message_and_no_traceback(study: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "stages.download"],
        check=False,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: the photo folder ../photos is not there")
    assert "Traceback" not in done.stderr


@pytest.mark.photos
def test_real_photos_come_in_whole(study: Path) -> None:
    columns = {"file": "file", "person": "person", "face": "face_task", "emotion": "emotion_task"}
    where = {"data.folder.path": str(REAL_PHOTOS), "data.folder.columns": columns}
    write_params(study, {"data.source": "folder", **where})
    download()
    counts = report()
    assert (counts["pictures"], counts["copies"], counts["rejected"]) == (1646, 0, {})
    assert counts["labels"]["face"] == {"negative": 861, "positive": 215}
    assert sum(counts["labels"]["emotion"].values()) == 1051
