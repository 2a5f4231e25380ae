import errno
import shutil
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from facestudy.errors import StudyError
from facestudy.project.sections import Drive
from facestudy.sources.drive import fetch, prepare
from facestudy.sources.folder import collect
from tests.drive_server import FILES, PAGES, TOO_MANY, drive_server
from tests.drive_server import Drive as DriveServer
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


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DriveServer]:
    """A folder with more than 50 photos in a folder below, an archive, a photo that is scanned, and an umlaut."""
    folder = tmp_path / "Fotos für alle"
    labelled_folder(folder / "set", faces=60, emotions=2)
    (folder / "set" / "images" / "f0.png").rename(folder / "set" / "images" / "Zoë & Björn.png")
    labels = folder / "set" / "labels.csv"
    labels.write_text(labels.read_text(encoding="utf-8").replace("f0.png", "Zoë & Björn.png"), encoding="utf-8")
    paint(tmp_path / "packed" / "large.png", 7, (1000, 1000))  # gdown reads half a megabyte at a time
    shutil.make_archive(str(folder / "more"), "zip", tmp_path / "packed")
    (tmp_path / "certificates").mkdir()
    with drive_server(folder, tmp_path / "certificates") as drive:
        for name, value in drive.environment.items():
            monkeypatch.setenv(name, value)
        drive.scanned = {"more.zip", "set/images/f1.png"}
        yield drive


def refusal(drive: DriveServer, folder: Path) -> str:
    with pytest.raises(StudyError) as caught:
        fetch(Drive(url=drive.url), folder)
    return str(caught.value)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_is_copied_whole_and_what_drive_refused_is_copied_by_the_next_run(
    served: DriveServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    served.refused = {"set/images/f2.png", "set/images/Zoë & Björn.png"}
    message = refusal(served, tmp_path / "out")
    assert f"refuses 2 of the 64 files of {served.url}" in message and f"set/images/f2.png: {TOO_MANY}" in message
    assert "within a day" in message and "data.source: folder" in message and str(tmp_path) not in message
    served.refused.clear()
    first, served.asked[:] = list(served.asked), []
    root = fetch(Drive(url=served.url), tmp_path / "out")
    assert len(first) == 64 + 2  # asked twice for what was scanned
    assert sorted(served.asked) == ["set/images/Zoë & Björn.png", "set/images/f2.png"]
    assert files(root) == files(served.folder / "set") and len(collect(DRIVE, root)) == 62
    assert (root.parent / "more" / "large.png").is_file()
    assert "file/s" not in capsys.readouterr().err  # no progress where nobody looks


@pytest.mark.slow
def test_a_connection_that_breaks_is_made_again_and_then_left_to_the_next_run(
    served: DriveServer, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    served.cut = {"set/images/f2.png": 5}
    message = refusal(served, tmp_path / "out")
    assert f"cannot get https://{PAGES}/uc?id=" in message and "incomplete" in message and "\n" not in message
    before, served.asked[:] = set(served.asked), []
    root = fetch(Drive(url=served.url), tmp_path / "out")
    assert set(served.cut.values()) == {0}
    assert not [name for name in served.asked if name in before and not name.startswith("cut")]
    assert files(root) == files(served.folder / "set") and (root.parent / "more" / "large.png").is_file()


def test_the_rest_of_a_large_file_alone_is_asked_for(served: DriveServer, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    served.cut = {"more.zip": 1}
    root = fetch(Drive(url=served.url), tmp_path / "out")
    assert [name for name in served.asked if name.startswith("from ") and name.endswith(" more.zip")]
    assert (root.parent / "more" / "large.png").read_bytes() == (tmp_path / "packed" / "large.png").read_bytes()


@pytest.mark.parametrize("host", [PAGES, FILES])
def test_a_host_that_a_proxy_blocks_is_named(served: DriveServer, tmp_path: Path, host: str) -> None:
    (tmp_path / "out").mkdir()
    served.blocked = {host}
    message = refusal(served, tmp_path / "out")
    assert f"cannot get https://{host}/" in message and "403" in message and "data.source: sample" in message


def test_a_folder_that_is_not_shared_is_named(served: DriveServer, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(StudyError, match=r"cannot get https://drive.google.com/drive/folders/x{33} through .*: .*404"):
        fetch(Drive(url=f"https://{PAGES}/drive/folders/{'x' * 33}"), tmp_path / "out")
