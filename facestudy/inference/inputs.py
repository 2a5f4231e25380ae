"""Photos that a command line names: files, folders, patterns, and what comes on standard input."""

import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from facestudy.errors import StudyError, printable
from facestudy.photos.formats import ENDINGS, TO_CONVERT, VIDEO
from facestudy.project.photo_folders import is_clutter

STANDARD_INPUT = "-"
FROM_STANDARD_INPUT = "standard_input"  # name of a photo whose bytes came that way


@contextmanager
def photo_files(names: Iterable[str]) -> Iterator[list[Path]]:
    """Every photo that the names stand for, in their order; what lies in a folder is sorted.

    A folder gives the pictures anywhere below it, by their ending; `-` stands for standard input, which holds either
    the bytes of one photo or the names of photos, one in a line. Raises StudyError for a name that stands for nothing.
    """
    with TemporaryDirectory(prefix="predict-") as folder:
        photos: list[Path] = []
        for name in names:
            photos += _from_standard_input(Path(folder)) if name == STANDARD_INPUT else _files(name)
        if not photos:
            raise StudyError("no photo was named; give files, folders, patterns, or names on standard input")
        yield photos


def _from_standard_input(folder: Path) -> list[Path]:
    content = sys.stdin.buffer.read()
    try:
        lines = content.decode("utf-8").splitlines()
    except UnicodeDecodeError:  # no text: a picture
        photo = folder / FROM_STANDARD_INPUT
        photo.write_bytes(content)
        return [photo]
    return [photo for line in lines if line.strip() for photo in _files(line)]


def _files(name: str) -> list[Path]:
    path = Path(name)
    if path.is_dir():
        photos = _below(path)
        if not photos:
            raise StudyError(f"{name}: no picture lies in this folder (JPEG, PNG, WebP, BMP, TIFF, GIF, ...)")
        return photos
    if path.exists() or not set(name) & set("*?["):
        return [path]  # one that is not there is reported as a photo that cannot be read
    try:
        matches = sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
    except ValueError as error:
        raise StudyError(f"{name}: not a pattern ({error})") from None
    # Clutter counts where the pattern itself names it.
    own = (match for match in matches if not any(map(is_clutter, set(match.parts) - set(path.parts))))
    files = [match for match in own if match.is_file()]
    if not files:
        raise StudyError(f"{name}: no file matches this pattern")
    return files


def _below(folder: Path) -> list[Path]:
    """The photos below a folder, also those to be converted first; what is passed over is told on standard error."""
    Image.init()
    endings = {ending for ending, kind in Image.registered_extensions().items() if kind in ENDINGS}
    endings |= {ending for ending, advice in TO_CONVERT.items() if advice != VIDEO}
    photos: list[Path] = []
    passed_over: Counter[str] = Counter()
    for top, folders, files in os.walk(folder, onerror=_tell_closed):
        folders[:] = [name for name in folders if not is_clutter(name)]
        for link in (Path(top, name) for name in folders):
            if link.is_symlink():
                text = printable(f"{link}: a link to a folder, passed over; name it too to have its photos answered")
                print(text, file=sys.stderr)
        for file in (Path(top, name) for name in files if not is_clutter(name)):
            if file.suffix.lower() in endings:
                photos.append(file)
            else:
                passed_over[file.suffix.lower() or "no ending"] += 1
    if passed_over:
        kinds = ", ".join(f"{count} {ending}" for ending, count in sorted(passed_over.items()))
        print(printable(f"{folder}: passed over {kinds}"), file=sys.stderr)
    return sorted(photos)


def _tell_closed(error: OSError) -> None:
    print(
        printable(f"{error.filename}: a folder that cannot be opened ({error.strerror}), passed over"), file=sys.stderr
    )
