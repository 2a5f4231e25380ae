"""Unpacking a zip or tar that may be hostile: every entry is judged before a byte of it is written."""

import bz2
import gzip
import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from stages.errors import StudyError

MOST_BYTES = 20 * 2**30  # of everything unpacked
MOST_FILES = 200_000
MOST_RATIO = 100  # unpacked to packed; photos are near 1, a bomb is at 1,000 and more
SMALL = 20 * 2**20  # bytes under which the ratio does not matter
ENDINGS = (".zip", ".tar", ".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz")
OPENERS = (gzip.open, bz2.open, lzma.open)
# What the libraries raise for archives that are broken, cut short, encrypted or of an unknown method.
FAULTS = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError, ValueError)


class Entry(NamedTuple):
    """One thing in an archive: `fault` says why it may not be unpacked, "" that it may."""

    name: str
    size: int
    folder: bool
    fault: str
    open: Callable[[], IO[bytes]]


def is_archive(path: Path) -> bool:
    """Whether a file is a zip or a tar, by its name and its content (office documents are zips too)."""
    if not path.name.lower().endswith(ENDINGS):
        return False
    try:
        return zipfile.is_zipfile(path) or tarfile.is_tarfile(path)
    except FAULTS:
        return False


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a zip or tar (plain, gz, bz2, xz) into an empty folder; only files and folders below it.

    Raises StudyError for an entry that is a link or a device, or whose path is absolute or holds
    "..", for an archive above the limits on files, bytes and ratio, and for a broken one. The
    folder may then hold some files; the caller removes it.
    """
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                _check_size(archive, sum(member.file_size for member in opened.infolist()))
                _write(archive, _zip_entries(opened), folder)
        else:
            _check_size(archive, _tar_bytes(archive))
            with tarfile.open(archive) as opened_tar:
                _write(archive, _tar_entries(opened_tar), folder)
    except FAULTS as error:
        raise StudyError(f"{archive.name} cannot be unpacked: {error or type(error).__name__}") from None


def _write(archive: Path, entries: Iterator[Entry], folder: Path) -> None:
    for number, entry in enumerate(entries, start=1):
        path = PurePosixPath(entry.name.replace("\\", "/"))
        fault = entry.fault or _path_fault(path)
        if fault:
            raise StudyError(f"{archive.name} is refused: its entry {entry.name!r} {fault}")
        if number > MOST_FILES:
            raise StudyError(f"{archive.name} is refused: it holds more than {MOST_FILES} files")
        target = folder / path
        if entry.folder:
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        with entry.open() as source, target.open("wb") as file:
            shutil.copyfileobj(source, file)


def _path_fault(path: PurePosixPath) -> str:
    if path.is_absolute() or any(part.endswith(":") for part in path.parts[:1]):
        return "has an absolute path"
    return "leaves the folder by '..'" if ".." in path.parts else ""


def _check_size(archive: Path, size: int) -> None:
    packed = archive.stat().st_size
    if size > MOST_BYTES or (size > SMALL and size > MOST_RATIO * packed):
        raise StudyError(
            f"{archive.name} is refused: {packed} bytes would unpack to {size} or more; the limits are {MOST_BYTES} "
            f"bytes and {MOST_RATIO} times the archive. Unpack it yourself and use data.source: folder if it is sound"
        )


def _zip_entries(archive: zipfile.ZipFile) -> Iterator[Entry]:
    for member in archive.infolist():
        kind = stat.S_IFMT(member.external_attr >> 16)
        fault = "" if kind in {0, stat.S_IFREG, stat.S_IFDIR} else "is a link or a device"
        yield Entry(member.filename, member.file_size, member.is_dir(), fault, partial(archive.open, member))


def _tar_entries(archive: tarfile.TarFile) -> Iterator[Entry]:
    for member in archive:
        fault = "" if member.isreg() or member.isdir() else "is a link or a device"
        yield Entry(member.name, member.size, member.isdir(), fault, partial(_tar_file, archive, member))


def _tar_file(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    opened = archive.extractfile(member)
    if opened is None:
        raise tarfile.ReadError(f"{member.name} holds no bytes")
    return opened


def _tar_bytes(archive: Path) -> int:
    """Length of a tar once decompressed, counted only up to where it is refused anyway."""
    most = max(SMALL, min(MOST_BYTES, MOST_RATIO * archive.stat().st_size))
    for opener in OPENERS:
        size = 0
        try:
            with opener(archive) as stream:
                while size <= most and (block := stream.read(2**20)):
                    size += len(block)
            return size
        except (OSError, lzma.LZMAError):
            if size:  # the right method, but broken on the way
                raise
    return archive.stat().st_size
