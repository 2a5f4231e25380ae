"""A photo of the study: where it came from, its label and split, its crop, and what every model said of it."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from facestudy.contracts.exports import Preparation
from facestudy.errors import StudyError, printable
from facestudy.faces import cropping
from facestudy.faces.searching import search
from facestudy.project import parameters, paths
from facestudy.project.files import read_json
from facestudy.project.sections import Parameters
from facestudy.project.splits import splits_for
from facestudy.project.tables import read_csv
from facestudy.sources.duplicates import picture_id
from facestudy.tracing.chain import chain
from facestudy.tracing.lines import line, lines, values
from facestudy.tracing.records import Records, closest, is_there

IMAGES = paths.RAW / "images"
INDEX, REJECTED = paths.RAW / "index.csv", paths.RAW / "rejected.csv"
PULL = "NOT HERE (`dvc pull` gets it from a remote, `dvc repro` makes it anew)"
OWN_COLUMNS = ["file", "person", "source_file"]  # of the index, before what else the source knows


def known(name: str) -> bool:
    """Whether a photo is known by this name or its bytes: in the index, among those left out, or to a model."""
    return _file(name) is not None or _reason(name) is not None


def names() -> list[str]:
    """All names by which photos may be called."""
    index = _table(INDEX)
    return [] if index is None else [*index["file"], *index["source_file"]]


def text(name: str, records: Records) -> str:
    """All that is known of a photo. Raises StudyError where it is not known."""
    file, settings = _file(name), parameters.load()
    if file is None:
        reason = _reason(name)
        if reason is None:
            raise StudyError(f"{name} is not in {INDEX}{closest(Path(name).name, names())}")
        parts = [printable(name), line("left out", printable(reason)), line("listed in", str(REJECTED))]
        return "\n\n".join(["\n".join(parts), chain(records, ["download"])])
    parts = [(IMAGES / file).as_posix(), "\n".join(_source(name, file))]
    parts += ["\n".join(_task(task, file, settings)) for task in settings.tasks]
    parts.append("\n".join(["Records", *lines("", _records(settings, records))]))
    return "\n\n".join([*parts, chain(records, ["download"])])


def _source(name: str, file: str) -> Iterator[str]:
    yield "Source"
    row = _row(INDEX, file)
    if row is None:
        yield line("index", f"{INDEX} is {PULL}: what follows is what Git has")
        return
    yield line("source file", printable(row["source_file"]))
    if Path(name).is_file() and Path(name).name not in (file, Path(row["source_file"]).name):
        yield line("", f"{name} has the same bytes; of copies the first by name is in the index")
    if _in_source(name) and Path(name).is_file() and picture_id(Path(name)) != Path(file).stem:
        yield line("", f"{name} has CHANGED: its bytes are not those that were read")
    photo = IMAGES / file
    if photo.is_file():
        same = picture_id(photo) == Path(file).stem
        yield line(
            "SHA-256", f"begins with {Path(file).stem}, " + ("as its bytes do" if same else "CHANGED: its bytes do not")
        )
    else:
        yield line("photo", f"{photo} is {PULL}")
    yield line("person", printable(row["person"]) or "not known")
    tasks = set(parameters.load().tasks)
    other = {key: value for key, value in row.items() if key not in {*OWN_COLUMNS, *tasks} and value}
    if other:
        yield line("also known", values(other))


def _task(task: str, file: str, settings: Parameters) -> Iterator[str]:
    yield f"Task {task}"
    split = _row(paths.split(task), file)
    if split is not None:
        yield line("label", printable(split["label"]))
        yield line("split", _split(split, task, settings))
        yield from lines("copies", _copies(task, file))
        yield from lines("person", _person(task, file, settings.tasks[task].positive))
        yield from lines("crop", _crop(task, file))
    elif _table(paths.split(task)) is None:
        yield line("split", f"{paths.split(task)} is {PULL}")
    else:
        yield line("label", "none: no model of this task has seen it")
        return
    models = [(variant, seed) for variant in settings.variants for seed in settings.seeds]
    yield from lines(
        "models", (f"{variant}, seed {seed}: {_said(task, variant, seed, file)}" for variant, seed in models)
    )


def _split(row: dict[str, str], task: str, settings: Parameters) -> str:
    group = "" if row["group"] == row["file"] else f"; it stays with {printable(row['group'])}"
    if not row["split"].startswith("fold_"):
        return row["split"] + group
    table = read_csv(paths.split(task))
    at = table.index[table["file"] == row["file"]][0]
    sides = [f"{splits_for(table['split'], seed)[at]} for seed {seed}" for seed in settings.seeds]
    return f"{row['split']}: {', '.join(sides)}{group}"


def _copies(task: str, file: str) -> Iterator[str]:
    pairs = _table(paths.leaks(task) / "pairs.csv")
    if pairs is None:
        yield f"{paths.leaks(task) / 'pairs.csv'} is {PULL}"
        return
    own = pairs[(pairs["first"] == file) | (pairs["second"] == file)]
    for pair in own.to_dict("records"):
        other = "second" if pair["first"] == file else "first"
        yield f"{pair['kind']} of {pair[other]} in {pair[f'{other}_split']}, correlation {pair['correlation']}"
    if own.empty:
        yield "none on another side of the split"


def _person(task: str, file: str, positive: str | None) -> Iterator[str]:
    index = _table(INDEX)
    if index is None:
        return
    table = read_csv(paths.split(task)).merge(index[["file", "person"]], on="file", how="left")
    person = table.loc[table["file"] == file, "person"].iloc[0]
    if person:
        counts = table.loc[table["person"] == person, "split"].value_counts().sort_index()
        sides = ", ".join(f"{number} in {side}" for side, number in counts.items())
        asked = " (the one that the task asks for)" if positive and positive in _labels(table, person) else ""
        yield f"{printable(person)}{asked}: {sides}"


def _labels(table: pd.DataFrame, person: str) -> set[str]:
    return set(table.loc[table["person"] == person, "label"])


def _crop(task: str, file: str) -> Iterator[str]:
    """As `preprocess` recorded it; the box, which it does not record, is found again with its settings."""
    folder = paths.prepared(task)
    table = _table(folder / "index.csv")
    if table is None:
        yield f"{folder} is {PULL}"
        return
    row = _row(folder / "index.csv", file)
    if row is None:
        yield "left out by preprocess.no_face or preprocess.several_faces"
        return
    kind = {"face": "the face, cut out", "whole": "the whole picture"}[row["crop"]]
    number = int(table.index[table["file"] == file][0])
    yield f"{kind}; faces found: {row['faces_found']}; row {number} of {folder / 'images.npy'}"
    if not (IMAGES / file).is_file():
        return
    preparation = read_json(folder / "settings.json", Preparation)
    found = next(search([IMAGES / file], preparation.preprocess, preparation.max_megapixels))
    for face in found.faces:
        turned = "angle not known" if face.angle is None else f"turned by {face.angle:.1f} degrees clockwise"
        yield f"box, found again: x {face.x:.1f}, y {face.y:.1f}, {face.width:.1f} x {face.height:.1f} pixels, {turned}"
    if not found.faces:
        yield "no box: no face is found now either" if row["faces_found"] == "none" else "no face is found now"
    size, margin = preparation.preprocess.size, preparation.preprocess.margin
    cut = cropping.whole(found.picture, size)
    if row["crop"] == "face" and found.faces:
        cut = cropping.face(found.picture, found.faces[0], margin, size)
    packed = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)[number]
    yield (
        "cut again, it is the packed crop"
        if np.array_equal(cut, packed)
        else "cut again, it DIFFERS from the packed crop"
    )


def _said(task: str, variant: str, seed: int, file: str) -> str:
    path = paths.model_metrics(task, variant, seed) / "predictions.csv"
    table = _table(path)
    if table is None:
        return f"{path} is not here"
    row = _row(path, file)
    if row is None:
        return "nothing recorded, for it was not scored on this picture (predictions.csv has those outside train)"
    right = "right" if row["truth"] == row["prediction"] else f"WRONG, it is {printable(row['truth'])}"
    shares = ", ".join(f"{printable(key[2:])} {100 * float(row[key]):.2f} %" for key in row if key.startswith("p_"))
    return f"{printable(row['prediction'])}, {right} ({row['split']}; {shares})"


def _records(settings: Parameters, records: Records) -> Iterator[str]:
    """The files that this was read from, and whether they are those of dvc.lock."""
    read = [INDEX]
    for task in settings.tasks:
        read += [paths.split(task), paths.leaks(task), paths.prepared(task)]
        models = ((variant, seed) for variant in settings.variants for seed in settings.seeds)
        read += [paths.model_metrics(task, *model) / "predictions.csv" for model in models]
    for path in map(str, read):
        writer = records.writer(path)
        if writer:
            record = records.file(path)
            yield f"{path}, by {writer}: {record.problem or 'as in dvc.lock'} ({record.hash or 'no record'})"


def _file(name: str) -> str | None:
    """A photo's name in data/raw, by that name, its id, its name in the source, or its bytes; None where unknown.

    Of a file that is elsewhere, and not where the source has it, the bytes alone count: its name may be by chance.
    """
    index, path = _table(INDEX), Path(name)
    files = _predicted() if index is None else list(index["file"])
    if is_there(name) and path.is_file() and not path.is_relative_to(IMAGES) and not _in_source(name):
        own = picture_id(path)
        return next((file for file in files if Path(file).stem == own), None)
    called = [file for file in files if path.name in (file, Path(file).stem)]
    if index is not None:
        called = [*index.loc[index["source_file"] == _inside(name), "file"], *called]
    return called[0] if called else None


def _reason(name: str) -> str | None:
    """Why a photo was left out; None where it was not."""
    table = _table(REJECTED)
    if table is None:
        return None
    found = table.loc[table["source_file"] == _inside(name), "reason"]
    return None if found.empty else str(found.iloc[0])


def _in_source(name: str) -> bool:
    """Whether a photo is named where the source has it, in a folder of this machine."""
    data = parameters.load().data
    return data.source == "folder" and Path(name).is_relative_to(data.folder.path)


def _inside(name: str) -> str:
    """A photo's name as the source has it."""
    return Path(name).relative_to(parameters.load().data.folder.path).as_posix() if _in_source(name) else name


def _predicted() -> list[str]:
    found: dict[str, None] = {}
    for path in sorted(paths.METRICS.glob("*/*/*/predictions.csv")):
        found |= dict.fromkeys(read_csv(path)["file"])
    return list(found)


def _row(path: Path, file: str) -> dict[str, Any] | None:
    table = _table(path)
    if table is None:
        return None
    found = table[table["file"] == file]
    return None if found.empty else {str(key): value for key, value in found.iloc[0].items()}


@cache
def _table(path: Path) -> pd.DataFrame | None:
    """A table, or None where it is not here."""
    return read_csv(path) if path.is_file() else None
