import errno
import shutil
import time
import zipfile
from pathlib import Path

import pytest

from facestudy.errors import StudyError
from facestudy.project.sections import Drive
from facestudy.sources.drive import fetch, prepare
from facestudy.sources.folder import collect
from tests.inputs import NOWHERE, labelled_folder, paint

DRIVE = Drive(url="https://drive.google.com/drive/folders/none")


def test_archives_beside_code_are_unpacked_and_the_photos_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labelled_folder(tmp_path / "photos", faces=4, emotions=2)
    drive = tmp_path / "drive"
    (drive / "code").mkdir(parents=True)
    (drive / "code" / "train.ipynb").write_text("{}", encoding="utf-8")
    shutil.make_archive(str(drive / "data" / "set"), "zip", tmp_path / "photos")
    root = prepare(DRIVE, drive)
    assert collect(DRIVE, root).equals(collect(DRIVE, tmp_path / "photos"))
    shown = capsys.readouterr().out
    assert "code/  1 .ipynb" in shown
    assert "images/  6 .png" in shown


def test_class_folders_in_archives_of_their_name_are_found(tmp_path: Path) -> None:
    for label in ("happy", "sad"):
        paint(tmp_path / "photos" / label / "a.png", len(label))
    shutil.make_archive(str(tmp_path / "drive" / "emotion"), "gztar", tmp_path / "photos")
    table = collect(DRIVE, prepare(DRIVE, tmp_path / "drive"))
    assert sorted(table["emotion"]) == ["happy", "sad"]


def test_an_unknown_layout_names_what_was_found_and_what_works(tmp_path: Path) -> None:
    paint(tmp_path / "drive" / "train" / "happy" / "a.jpg", 1)
    with pytest.raises(StudyError) as caught:
        collect(DRIVE, prepare(DRIVE, tmp_path / "drive"))
    assert "happy/  1 .jpg" in str(caught.value)
    assert "Two layouts work" in str(caught.value)


def test_two_sets_of_photos_are_ambiguous(tmp_path: Path) -> None:
    for name in ("a", "b"):
        labelled_folder(tmp_path / "drive" / name, faces=2, emotions=0)
    with pytest.raises(StudyError, match=r"several folders.*a, b"):
        prepare(DRIVE, tmp_path / "drive")


def test_an_unsafe_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "drive").mkdir()
    with zipfile.ZipFile(tmp_path / "drive" / "b.zip", "w") as archive:
        archive.writestr("../../evil.txt", "x")
    with pytest.raises(StudyError, match="refused"):
        prepare(DRIVE, tmp_path / "drive")
    assert not (tmp_path / "evil.txt").exists()


@pytest.mark.parametrize("form", ["zip", "gztar"])
@pytest.mark.parametrize("fault", ["cut", "no archive"])
def test_a_broken_archive_is_passed_over_by_name_and_the_others_are_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str, fault: str
) -> None:
    labelled_folder(tmp_path / "photos", faces=4, emotions=2)
    drive = tmp_path / "drive"
    for name in ("old", "set"):
        shutil.make_archive(str(drive / name), form, tmp_path / "photos")
    (broken,) = drive.glob("old.*")
    whole = broken.read_bytes()
    broken.write_bytes(whole[: len(whole) // 2] if fault == "cut" else b"<html>quota exceeded</html>")
    root = prepare(DRIVE, drive)
    assert collect(DRIVE, root).equals(collect(DRIVE, tmp_path / "photos"))
    assert f"left out: {broken.name} cannot be unpacked" in capsys.readouterr().err
    assert [path.name for path in drive.iterdir()] == ["set"]


def test_a_disk_that_is_full_is_no_broken_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labelled_folder(tmp_path / "photos", faces=2, emotions=0)
    shutil.make_archive(str(tmp_path / "drive" / "set"), "zip", tmp_path / "photos")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "extractall", full)
    with pytest.raises(StudyError, match=r"set\.zip cannot be unpacked.*No space left"):
        prepare(DRIVE, tmp_path / "drive")


@pytest.mark.parametrize("proxied", [True, False])
def test_without_a_network_the_offline_choice_is_named_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxied: bool
) -> None:
    if proxied:
        monkeypatch.setenv("https_proxy", NOWHERE)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
    given = DRIVE if proxied else Drive(url=f"{NOWHERE}/drive/folders/none")
    start = time.monotonic()
    with pytest.raises(StudyError) as caught:
        fetch(given, tmp_path)
    assert time.monotonic() - start < 30
    assert "data.source: sample" in str(caught.value)
