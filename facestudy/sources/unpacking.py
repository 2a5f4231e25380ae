"""Unpacking a zip or tar that may be hostile: every entry is checked before a byte of it is written."""

import bz2
import gzip
import lzma
import stat
import tarfile
import zipfile
import zlib
from itertools import islice
from pathlib import Path, PurePosixPath

from facestudy.errors import StudyError

MAX_BYTES = 20 * 2**30  # of everything unpacked
MAX_FILES = 200_000
MAX_RATIO = 100  # unpacked to packed; photos are near 1, a bomb is at 1,000 and more
SMALL = 20 * 2**20  # bytes under which the ratio does not matter
ENDINGS = (".zip", ".tar", ".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz")
OPENERS = (gzip.open, bz2.open, lzma.open)
# What the libraries raise for archives that are broken, cut short, encrypted or of an unknown method.
FAULTS = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    *(EOFError, OSError, RuntimeError, ValueError, OverflowError),
)


class BrokenArchiveError(StudyError):
    """An archive that cannot be read: broken, cut short, encrypted or of an unknown method."""


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a zip or tar (plain, gz, bz2, xz) into an empty folder; only files and folders below it.

    Raises StudyError for an entry that is a link or a device, or whose path is absolute or holds "..", for an archive
    above the limits on files, bytes and ratio, and BrokenArchiveError for a broken one. Of that the folder may then
    hold some files; the caller removes it.
    """
    try:
        # A tar first: one whose last file is a zip looks like a zip too.
        if zipfile.is_zipfile(archive) and not tarfile.is_tarfile(archive):
            _unpack_zip(archive, folder)
        else:
            _unpack_tar(archive, folder)
    except FAULTS as error:
        full = isinstance(error, OSError) and error.errno is not None  # the disk's fault rather than the archive's
        kind = StudyError if full else BrokenArchiveError
        raise kind(f"{archive.name} cannot be unpacked: {error or type(error).__name__}") from None


def _unpack_zip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        members = opened.infolist()
        _check_totals(archive, sum(member.file_size for member in members), len(members))
        for member in members:
            plain = stat.S_IFMT(member.external_attr >> 16) in {0, stat.S_IFREG, stat.S_IFDIR}
            member.filename = _checked(archive, member.filename, plain)
        opened.extractall(folder, members)


def _unpack_tar(archive: Path, folder: Path) -> None:
    _check_totals(archive, _tar_bytes(archive), 0)
    with tarfile.open(archive) as opened:
        members = list(islice(opened, MAX_FILES + 1))
        _check_totals(archive, 0, len(members))
        for member in members:
            # A sparse file may claim any size, whatever its bytes in the archive.
            plain = member.isdir() or (member.isreg() and not member.issparse())
            member.name = _checked(archive, member.name, plain)
        # tarfile's filter sets owner and rights, where this Python has it (3.11.4). As a judge it would let more pass
        # than we want (links within the folder, absolute paths, which it makes relative), it sets no limits, and zips
        # have none; so ours stays.
        opened.extraction_filter = getattr(tarfile, "data_filter", None)
        opened.extractall(folder, members)


def _checked(archive: Path, name: str, plain: bool) -> str:
    """An entry's name with forward slashes; raises StudyError where it is no plain file or folder below the root."""
    path = PurePosixPath(name.replace("\\", "/"))
    if not plain:
        fault = "is a link, a device or a sparse file"
    elif path.is_absolute() or (path.parts and path.parts[0].endswith(":")):
        fault = "has an absolute path"
    elif ".." in path.parts:
        fault = "leaves the folder by '..'"
    else:
        return name.replace("\\", "/")
    raise StudyError(f"{archive.name} is refused: its entry {name!r} {fault}")


def _check_totals(archive: Path, size: int, count: int) -> None:
    packed = archive.stat().st_size
    if size > MAX_BYTES or size > max(SMALL, MAX_RATIO * packed):
        raise StudyError(
            f"{archive.name} is refused: {packed} bytes would unpack to {size} or more; the limits are {MAX_BYTES} "
            f"bytes and {MAX_RATIO} times the archive. Unpack it yourself and use data.source: folder if it is sound"
        )
    if count > MAX_FILES:
        raise StudyError(f"{archive.name} is refused: it holds more than {MAX_FILES} files")


def _tar_bytes(archive: Path) -> int:
    """Length of a tar once decompressed, counted only up to where it is refused anyway."""
    limit = max(SMALL, min(MAX_BYTES, MAX_RATIO * archive.stat().st_size))
    for opener in OPENERS:
        size = 0
        try:
            with opener(archive) as stream:
                while size <= limit and (block := stream.read(2**20)):
                    size += len(block)
            return size
        except (OSError, lzma.LZMAError):
            if size:  # the right method, but broken on the way
                raise
    return archive.stat().st_size
