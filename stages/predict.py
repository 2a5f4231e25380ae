"""Find every face in photos and say who it is and which emotion it shows.

    python -m stages.predict PHOTO... [--task NAME] [--variant NAME] [--json | --csv FILE] [--draw FOLDER]

PHOTO is a file, a folder, a pattern in quotes, or - for standard input (one photo, or names, one in a line). Of each
task the variant with the best validation accuracy answers, unless others are named. Works on what `dvc repro` has
exported, without torch and without a network.
"""

import argparse
import csv
import io
import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.progress import track
from rich.table import Table
from rich.text import Text

from stages.errors import StudyError, main
from stages.faces.reading import UnreadablePicture
from stages.predicting.answers import Photo, answer, models
from stages.predicting.drawing import draw, words
from stages.predicting.photos import FROM_STANDARD_INPUT, named
from stages.writing import write_text

COLUMNS = ["photo", "face", "x", "y", "width", "height", "task", "variant", "label", "probability", "problem"]


def predict(given: argparse.Namespace) -> None:
    """Answer for every photo; exits with 1 after all answers where a photo could not be read."""
    chosen = models(given.task, given.variant, "int8" if given.int8 else "onnx")
    if not chosen:
        raise StudyError("no model was trained: no picture of the study has a label")
    with named(given.photos) as photos:
        if not photos:
            raise StudyError("no photo was named; give files, folders, patterns, or names on standard input")
        progress = Console(stderr=True)
        found = list(
            track(answer(photos, chosen), "Photos", total=len(photos), transient=True, console=progress,
                  disable=len(photos) == 1)
        )  # fmt: skip
        if given.draw is not None:
            taken: set[str] = set()
            for photo in found:
                if not photo.problem:
                    _draw(photo, given.draw, chosen[0].about["max_megapixels"], taken)
    _tell(found, given)
    unread = [photo for photo in found if photo.problem]
    if unread:
        raise StudyError(f"{len(unread)} of {len(found)} photos could not be read, first {_name(unread[0])}")


def _draw(photo: Photo, folder: Path, max_megapixels: float, taken: set[str]) -> None:
    try:
        draw(photo, folder, max_megapixels, taken)
    except UnreadablePicture as error:
        raise StudyError(f"{_name(photo)} changed while it was read: {error}") from None


def _tell(found: list[Photo], given: argparse.Namespace) -> None:
    if given.json:
        print(json.dumps([_described(photo) for photo in found], indent=2, ensure_ascii=False))
    elif given.csv is not None:
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(_rows(found))
        write_text(given.csv, text.getvalue())
    else:
        Console().print(_table(found))


def _described(photo: Photo) -> dict[str, Any]:
    faces = [{"box": face.box, "answers": [asdict(each) for each in face.answers]} for face in photo.faces]
    return {"photo": _name(photo), "faces": faces, "problem": photo.problem or None}


def _rows(found: Iterable[Photo]) -> Iterable[dict[str, Any]]:
    """A row per photo, face and answer; one without a face where there is none."""
    for photo in found:
        if not photo.faces:
            yield {"photo": _name(photo), "problem": photo.problem or "no face found"}
        for number, face in enumerate(photo.faces, start=1):
            place = dict(zip(("x", "y", "width", "height"), face.box, strict=True))
            for each in face.answers:
                said = {"task": each.task, "variant": each.variant, "label": each.label}
                yield {"photo": _name(photo), "face": number, **place, **said, "probability": f"{each.probability:.4f}"}


def _table(found: list[Photo]) -> Group:
    parts: list[Text | Table] = []
    for photo in found:
        parts.append(Text(_name(photo), style="bold", overflow="fold"))
        if not photo.faces:
            parts.append(Text(f"  {photo.problem or 'no face found'}"))
        table = Table(box=None, show_header=False, padding=(0, 0, 0, 2))
        for _ in ("place", "task", "answer"):
            table.add_column(no_wrap=True)
        for number, face in enumerate(photo.faces, start=1):
            x, y, width, height = face.box
            place = f"face {number} at {x}, {y}, {width} × {height}"
            for each in face.answers:
                table.add_row(place, f"{each.task}:", Text(words(each)), f"({each.variant})")
                place = ""
        if photo.faces:
            parts.append(table)
    return Group(*parts)


def _name(photo: Photo) -> str:
    """A photo's path as text that any terminal and file can take."""
    given = photo.path.name if photo.path.name == FROM_STANDARD_INPUT else str(photo.path)
    text = given.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(sign if sign.isprintable() else "�" for sign in text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m stages.predict", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "photos", nargs="+", metavar="PHOTO", help="file, folder, pattern in quotes, or - for standard input"
    )
    parser.add_argument("--task", action="append", default=[], metavar="NAME", help="of the study; all by default")
    parser.add_argument(
        "--variant", action="append", default=[], metavar="NAME", help="of the study; the best by default"
    )
    parser.add_argument("--int8", action="store_true", help="models in eight bits: smaller and faster")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON in place of a table")
    form.add_argument("--csv", type=Path, metavar="FILE", help="write a CSV file in place of a table")
    parser.add_argument("--draw", type=Path, metavar="FOLDER", help="write copies with boxes and answers there")
    return parser.parse_args()


if __name__ == "__main__":
    main(predict, _arguments())
