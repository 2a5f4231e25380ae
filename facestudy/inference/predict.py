"""`facestudy predict`: find every face in photos and say who it is and which emotion it shows.

Works on what `dvc repro` has exported, without torch and without a network.
"""

import csv
import io
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.progress import track
from rich.table import Table
from rich.text import Text

from facestudy.errors import StudyError, printable
from facestudy.inference.answers import NO_FACE, Photo, answer, load_models
from facestudy.inference.boxes import caption, write_boxed
from facestudy.inference.inputs import FROM_STANDARD_INPUT, photo_files
from facestudy.photos.reading import UnreadablePicture
from facestudy.project.files import write_text

COLUMNS = ["photo", "face", "x", "y", "width", "height", "task", "variant", "label", "probability", "problem"]


@dataclass(frozen=True)
class Request:
    """What to answer (facestudy/cli.py describes each) and in which form; without `json` and `csv` as a table."""

    photos: list[str]
    task: list[str]
    variant: list[str]
    int8: bool
    json: bool
    csv: Path | None
    draw: Path | None


def predict(request: Request) -> None:
    """Answer for every photo; raises StudyError, after all answers, where a photo could not be read."""
    if request.csv is not None and request.csv.is_dir():
        raise StudyError(f"--csv {request.csv}: this is a folder; name a file")
    if request.draw is not None and request.draw.exists() and not request.draw.is_dir():
        raise StudyError(f"--draw {request.draw}: this is a file; name a folder")
    models = load_models(request.task, request.variant, "int8" if request.int8 else "onnx", threads=1)
    with photo_files(request.photos) as files:
        found, progress = answer(files, models), Console(stderr=True)
        hidden = len(files) == 1
        photos = list(track(found, "Photos", len(files), transient=True, console=progress, disable=hidden))
        if request.draw is not None:
            _draw(photos, request.draw, models[0].metadata.max_megapixels)
    if request.json:
        escaped = sys.stdout.encoding.lower() != "utf-8"  # JSON's own escapes, where letters may be missing
        print(json.dumps([_described(photo) for photo in photos], indent=2, ensure_ascii=escaped))
    elif request.csv is not None:
        _write_csv(request.csv, photos)
    else:
        Console().print(_table(photos))
    unreadable = [photo for photo in photos if photo.problem]
    if unreadable:
        first = _printable(unreadable[0])
        raise StudyError(f"{len(unreadable)} of {len(photos)} photos could not be read, first {first}")


def _draw(photos: Iterable[Photo], folder: Path, max_megapixels: float) -> None:
    used: set[str] = set()
    for photo in photos:
        try:
            if not photo.problem:
                write_boxed(photo, folder, max_megapixels, used)
        except UnreadablePicture as error:
            raise StudyError(f"{_printable(photo)} changed while it was read: {error}") from None


def _described(photo: Photo) -> dict[str, Any]:
    faces = [
        {
            "box": face.box,
            "found": not face.whole,
            "whole_photo": face.whole or None,
            "answers": [asdict(each) for each in face.answers],
        }
        for face in photo.faces
    ]
    return {"photo": _printable(photo), "faces": faces, "problem": photo.problem or None}


def _write_csv(target: Path, photos: Iterable[Photo]) -> None:
    """A row per photo, face and answer; one without answers where there is no face and none for the whole photo."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for photo in photos:
        name = _printable(photo)
        if not photo.faces:
            writer.writerow([name, *[""] * (len(COLUMNS) - 2), photo.problem or NO_FACE])
        for number, face in enumerate(photo.faces, start=1):
            for each in face.answers:
                probability = f"{each.probability:.4f}"
                count = "" if face.whole else number
                writer.writerow([name, count, *face.box, each.task, each.variant, each.label, probability, face.whole])
    write_text(target, text.getvalue())


def _table(photos: Iterable[Photo]) -> Group:
    parts: list[Text | Table] = []
    for photo in photos:
        parts.append(Text(_printable(photo), style="bold", overflow="fold"))
        if not photo.faces:
            parts.append(Text(f"  {photo.problem or NO_FACE}"))
            continue
        table = Table(box=None, show_header=False, padding=(0, 0, 0, 2))
        for column in ("position", "task", "answer"):
            table.add_column(column, no_wrap=True)
        for number, face in enumerate(photo.faces, start=1):
            x, y, width, height = face.box
            position = (
                f"{face.whole}; the whole photo" if face.whole else f"face {number} at {x}, {y}, {width} × {height}"
            )
            for row, each in enumerate(face.answers):
                table.add_row("" if row else position, f"{each.task}:", Text(caption(each)), f"({each.variant})")
        parts.append(table)
    return Group(*parts)


def _printable(photo: Photo) -> str:
    """A photo's path as text that any terminal and file can take."""
    path = photo.path.name if photo.path.name == FROM_STANDARD_INPUT else str(photo.path)
    return printable(path)
