import bz2
import contextlib
import gzip
import hashlib
import io
import lzma
import re
import socket
import stat
import tarfile
import threading
import time
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from facestudy.errors import StudyError
from facestudy.project.sections import Archive
from facestudy.sources import network, unpacking
from facestudy.sources.archive import fetch
from facestudy.sources.folder import collect
from tests.inputs import NOWHERE, labelled_folder


def settings(location: object, sha256: str | None = None) -> Archive:
    if sha256 is None and isinstance(location, Path) and location.is_file():
        sha256 = hashlib.sha256(location.read_bytes()).hexdigest()
    return Archive(location=str(location), sha256=sha256)


def refused(archive: Archive, folder: Path) -> str:
    folder.mkdir(exist_ok=True)
    with pytest.raises(StudyError) as caught:
        fetch(archive, folder)
    return str(caught.value)


def everything(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    labelled_folder(tmp_path / "photos", faces=4, emotions=2)
    return tmp_path / "photos"


@pytest.fixture
def zipped(tmp_path: Path, photos: Path) -> Path:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for path in photos.rglob("*"):
            archive.write(path, f"my photos/{path.relative_to(photos)}")
        archive.writestr("__MACOSX/my photos/._labels.csv", "x")
    return tmp_path / "photos.zip"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@pytest.mark.parametrize("ending", ["tar", "tar.gz", "tar.bz2", "tar.xz"])
def test_every_kind_of_tar_is_read_as_its_folder(tmp_path: Path, photos: Path, ending: str) -> None:
    packed = tmp_path / f"photos.{ending}"
    mode: Any = f"w:{ending.partition('.')[2]}"
    with tarfile.open(packed, mode) as archive:
        archive.add(photos, "deep/down")
    root = fetch(settings(packed), tmp_path / "out")
    assert collect(settings(packed), root).equals(collect(settings(packed), photos))


def test_a_tar_whose_last_file_is_a_zip_is_read_as_a_tar(tmp_path: Path, photos: Path) -> None:
    with zipfile.ZipFile(tmp_path / "backup.zip", "w") as inner:
        inner.writestr("old.txt", "old")
    with tarfile.open(tmp_path / "photos.tar", "w") as archive:
        archive.add(photos, "photos")
        archive.add(tmp_path / "backup.zip", "backup.zip")
    assert zipfile.is_zipfile(tmp_path / "photos.tar")
    packed = settings(tmp_path / "photos.tar")
    assert collect(packed, fetch(packed, tmp_path / "out")).equals(collect(packed, photos))


def test_a_zip_is_read_as_its_folder_from_a_file_and_from_a_url(
    tmp_path: Path, zipped: Path, photos: Path, server: str
) -> None:
    expected = collect(settings(zipped), photos)
    assert collect(settings(zipped), fetch(settings(zipped), tmp_path / "a")).equals(expected)
    (tmp_path / "b").mkdir()
    url = settings(f"{server}/{zipped.name}", settings(zipped).sha256)
    assert collect(url, fetch(url, tmp_path / "b")).equals(expected)


def test_without_a_hash_the_line_to_paste_is_shown_and_it_works(tmp_path: Path, zipped: Path) -> None:
    message = refused(Archive(location=str(zipped), sha256=None), tmp_path / "out")
    assert not everything(tmp_path / "out")
    [line] = [line.strip() for line in message.splitlines() if line.strip().startswith("sha256: ")]
    assert fetch(Archive(location=str(zipped), sha256=line.removeprefix("sha256: ")), tmp_path / "out").is_dir()


def test_another_hash_is_refused_before_anything_is_unpacked(tmp_path: Path, zipped: Path) -> None:
    correct = str(settings(zipped).sha256)
    message = refused(settings(zipped, "0" * 64), tmp_path / "out")
    assert correct in message
    assert "0" * 64 in message
    assert not everything(tmp_path / "out")


def tar_of(path: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w") as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(b"x" * member.size))
    return path


def tar_entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    member.size = 4 if kind == tarfile.REGTYPE else 0
    return member


HOSTILE = {
    "up": tar_entry("a/../../evil.txt"),
    "absolute": tar_entry("/tmp/evil.txt"),
    "windows": tar_entry("..\\evil.txt"),
    "drive": tar_entry("C:\\evil.txt"),
    "symbolic link": tar_entry("link", tarfile.SYMTYPE, "../outside"),
    "inner link": tar_entry("link", tarfile.SYMTYPE, "inside"),
    "hard link": tar_entry("link", tarfile.LNKTYPE, "../outside"),
    "device": tar_entry("null", tarfile.CHRTYPE),
    "pipe": tar_entry("pipe", tarfile.FIFOTYPE),
    "sparse": tar_entry("sparse.txt", tarfile.GNUTYPE_SPARSE),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_tar_is_refused_and_nothing_is_written_outside(tmp_path: Path, kind: str) -> None:
    packed = tar_of(tmp_path / "a.tar", tar_entry("good.txt"), HOSTILE[kind], tar_entry("link/evil.txt"))
    message = refused(settings(packed), tmp_path / "out")
    assert "a.tar is refused" in message
    assert repr(HOSTILE[kind].name) in message
    assert everything(tmp_path) == {"a.tar", "out"}


@pytest.mark.parametrize("name", ["../evil.txt", "/tmp/evil.txt", "a/..\\..\\evil.txt", "C:/evil.txt", "link"])
def test_a_hostile_zip_is_refused_and_nothing_is_written_outside(tmp_path: Path, name: str) -> None:
    entry = zipfile.ZipInfo(name)
    if name == "link":
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(entry, "../outside")
    assert "a.zip is refused" in refused(settings(tmp_path / "a.zip"), tmp_path / "out")
    assert not [path for path in tmp_path.rglob("*") if path.name in {"evil.txt", "link"}]


ZEROS = bytes(2**20)


@pytest.mark.parametrize("opener", [gzip.open, bz2.open, lzma.open])
def test_a_tar_bomb_is_refused_without_being_unpacked(tmp_path: Path, opener: object) -> None:
    bomb = tarfile.TarInfo("bomb.bin")
    bomb.size = 40 * 2**20
    assert callable(opener)
    with opener(tmp_path / "bomb.tar", "wb") as file:
        file.write(bomb.tobuf())
        for _ in range(40):
            file.write(ZEROS)
    assert "would unpack to" in refused(settings(tmp_path / "bomb.tar"), tmp_path / "out")
    assert not everything(tmp_path / "out")


def test_a_zip_bomb_is_refused_without_being_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(50):
            archive.writestr(f"{number}.bmp", ZEROS)
    assert "would unpack to" in refused(settings(tmp_path / "bomb.zip"), tmp_path / "out")
    assert not everything(tmp_path / "out")


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "MAX_FILES", 3)
    packed = tar_of(tmp_path / "a.tar", *(tar_entry(f"{number}.txt") for number in range(4)))
    assert "more than 3 files" in refused(settings(packed), tmp_path / "out")


def test_broken_and_locked_archives_are_refused(tmp_path: Path, zipped: Path, photos: Path) -> None:
    with tarfile.open(tmp_path / "whole.tgz", "w:gz") as archive:
        archive.add(photos, "photos")
    flags = re.compile(rb"(PK\x03\x04..|PK\x01\x02....).", re.DOTALL)
    locked = flags.sub(lambda match: match[1] + b"\1", zipped.read_bytes())  # as if encrypted
    contents = {
        "text.zip": b"no archive",
        "empty.tar": b"",
        "short.tgz": (tmp_path / "whole.tgz").read_bytes()[:5000],
        "short.zip": zipped.read_bytes()[:5000],
        "locked.zip": locked,
        "damaged.zip": zipped.read_bytes().replace(b"IHDR", b"XXXX"),  # the checksums no longer hold
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        assert f"{name} cannot be unpacked" in refused(settings(tmp_path / name), tmp_path / name.replace(".", "-"))


def test_a_location_that_is_not_there_names_the_offline_choice(tmp_path: Path, server: str) -> None:
    assert "there is no file" in refused(settings(tmp_path / "absent.zip"), tmp_path / "out")
    assert "404" in refused(settings(f"{server}/absent.zip"), tmp_path / "out")
    assert "neither an http(s) URL" in refused(settings("ftp://127.0.0.1/a.zip"), tmp_path / "out")
    assert "cannot get https://a..b/c.zip" in refused(settings("https://a..b/c.zip", "0" * 64), tmp_path / "out")
    assert "location is null" in refused(Archive(location=None, sha256=None), tmp_path / "out")
    start = time.monotonic()
    message = refused(settings(f"{NOWHERE}/a.zip", "0" * 64), tmp_path / "out")
    assert time.monotonic() - start < 30
    assert "data.source: sample" in message
    assert "data.source: folder" in message


@pytest.mark.parametrize("announced", [b"", b"Content-Length: 10\r\n", b"Content-Length: 90000000\r\n"])
def test_a_server_that_sends_too_much_or_breaks_off_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, announced: bytes
) -> None:
    """Without end where no length is announced, more than was announced, and less."""
    monkeypatch.setattr("facestudy.sources.archive.MAX_BYTES", 10_000_000)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            listening.accept()[0].close()  # network.reach
            connection, _ = listening.accept()
            connection.recv(10_000)
            connection.sendall(b"HTTP/1.1 200 OK\r\n" + announced + b"\r\n")
            with contextlib.suppress(OSError):
                for _ in range(1 if announced else 1000):
                    connection.sendall(bytes(100_000))
            connection.close()

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/a.zip"
        message = refused(settings(url, "0" * 64), tmp_path / "out")
        thread.join(10)
    assert not thread.is_alive()
    assert ("more than 10000000 bytes" if b"10\r" not in announced else "is not the archive") in message
    assert sum(path.stat().st_size for path in (tmp_path / "out").iterdir()) < 12_000_000


def test_a_connection_that_drops_is_an_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            listening.accept()[0].close()
            connection, _ = listening.accept()
            connection.recv(10_000)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nshort")
            connection.close()

        threading.Thread(target=answer, daemon=True).start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/a.zip"
        assert "the connection broke after 5 of 1000 bytes" in refused(settings(url, "0" * 64), tmp_path / "out")


def test_a_silent_server_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "SILENCE", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/a.zip"
        assert "timed out" in refused(settings(url, "0" * 64), tmp_path / "out")
