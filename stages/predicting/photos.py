"""Photos that a command line names: files, folders, patterns, and what comes on standard input."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from stages.errors import StudyError
from stages.faces.reading import ENDINGS

STANDARD_INPUT = "-"
FROM_STANDARD_INPUT = "standard_input"  # name of a photo whose bytes came that way


@contextmanager
def named(names: Iterable[str]) -> Iterator[list[Path]]:
    """Every photo that the names stand for, in their order; what lies in a folder is sorted.

    A folder gives the pictures anywhere below it, by their ending; `-` stands for standard input, which holds either
    the bytes of one photo or the names of photos, one in a line. Raises StudyError for a name that stands for nothing.
    """
    with TemporaryDirectory(prefix="predict-") as folder:
        found: list[Path] = []
        for name in names:
            found += _from_standard_input(Path(folder)) if name == STANDARD_INPUT else _photos(name)
        yield found


def _from_standard_input(folder: Path) -> list[Path]:
    content = sys.stdin.buffer.read()
    try:
        lines = content.decode("utf-8").splitlines()
    except UnicodeDecodeError:  # no text: a picture
        photo = folder / FROM_STANDARD_INPUT
        photo.write_bytes(content)
        return [photo]
    return [photo for line in lines if line.strip() for photo in _photos(line)]


def _photos(name: str) -> list[Path]:
    path = Path(name)
    if path.is_dir():
        Image.init()
        endings = {ending for ending, kind in Image.registered_extensions().items() if kind in ENDINGS}
        photos = sorted(photo for photo in path.rglob("*") if photo.suffix.lower() in endings and photo.is_file())
        if not photos:
            raise StudyError(f"{name}: no picture lies in this folder (JPEG, PNG, WebP, BMP, TIFF, GIF, ...)")
        return photos
    if path.exists() or not set(name) & set("*?["):
        return [path]  # one that is not there is told as a photo that cannot be read
    matches = sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
    if not matches:
        raise StudyError(f"{name}: no file matches this pattern")
    return [match for match in matches if match.is_file()]
