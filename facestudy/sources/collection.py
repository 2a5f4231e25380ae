"""The pictures of a source, from its folder to data/raw: those that can be read, each once, and those left out."""

import importlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from facestudy.csv_writer import write_csv
from facestudy.errors import StudyError
from facestudy.photos.reading import NO_SUCH_FILE, UnreadablePicture, ending, read
from facestudy.project import paths
from facestudy.project.sections import Data
from facestudy.sources import duplicates, folder, network
from facestudy.sources.nearest import Files
from facestudy.synthetic import photo_sets

SAMPLE_TASKS = ["face", "emotion"]


@dataclass(frozen=True)
class Collection:
    """The pictures below `root` that can be used, and what became of the others; all text."""

    root: Path
    tasks: list[str]
    pictures: pd.DataFrame  # id, file (its name in data/raw), person, the tasks, extras, source_file (below root)
    rejected: pd.DataFrame  # source_file, reason
    copies: int  # exact copies, counted once

    def write(self, target: Path) -> None:
        """Fill a folder with images/, index.csv and rejected.csv; StudyError for a photo that changed meanwhile."""
        (target / "images").mkdir()
        for row in self.pictures.itertuples():
            source = self.root / str(row.source_file)
            copy = Path(shutil.copyfile(source, target / "images" / str(row.file)))
            if duplicates.picture_id(copy) != row.id:
                raise StudyError(f"{source} changed while it was read; run `dvc repro` again")
        first = ["file", "person", *self.tasks, "source_file"]
        extras = [name for name in self.pictures if name not in {*first, "id"}]
        write_csv(target / "index.csv", self.pictures[first + extras])
        write_csv(target / "rejected.csv", self.rejected)


@contextmanager
def collected(data: Data, seed: int) -> Iterator[Collection]:
    """The collection of `data.source`; what was fetched from elsewhere is removed in the end, unless some is missing.

    Raises StudyError where the source cannot be reached or is laid out in no known way.
    """
    _remove_fetched(data.source)  # by a run that was killed
    try:
        root, table = _listed(data, seed)
        layout = data.layout()
        tasks = list(layout.columns.tasks()) if layout else SAMPLE_TASKS
        readable, unreadable = _read_all(root, table, data.max_megapixels)
        pictures, contradicting = duplicates.merge(readable, tasks)
        rejected = pd.concat([unreadable, contradicting], ignore_index=True).sort_values("source_file")
        rejected["reason"] = _with_nearest(root, rejected)
        yield Collection(root, tasks, pictures, rejected, len(readable) - len(contradicting) - len(pictures))
    finally:
        _remove_fetched(data.source)


def _remove_fetched(source: str) -> None:
    """Remove what was fetched, but for a Drive folder of which files are missing: Drive counts its downloads."""
    unfinished = set(paths.FETCHING.glob(f"*{network.UNFINISHED}")) if source == "drive" else set()
    for path in [paths.FETCHING] if not unfinished else set(paths.FETCHING.iterdir()) - unfinished:
        shutil.rmtree(path, ignore_errors=True)


def _listed(data: Data, seed: int) -> tuple[Path, pd.DataFrame]:
    """The source's folder and its table of pictures."""
    if data.source == "sample":
        return paths.FETCHING, photo_sets.collect(data.sample, seed, paths.FETCHING)
    if data.source == "folder":
        return Path(data.folder.path), folder.collect(data.folder, Path(data.folder.path))
    paths.FETCHING.mkdir(parents=True, exist_ok=True)
    # Only the source in use is imported: gdown alone takes longer to import than a folder takes to read.
    source = importlib.import_module(f"facestudy.sources.{data.source}")
    settings = getattr(data, data.source)
    root = source.fetch(settings, paths.FETCHING)
    return root, folder.collect(settings, root)


def _read_all(root: Path, table: pd.DataFrame, max_megapixels: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows whose picture can be read, with id and file, and those whose picture cannot, with the reason."""
    readable, rejected = [], []
    for row in table.rename(columns={"file": "source_file"}).to_dict("records"):
        path = root / row["source_file"]
        try:
            read(path, max_megapixels)
            row["id"] = duplicates.picture_id(path)
            row["file"] = row["id"] + ending(path, max_megapixels)
            readable.append(row)
        except UnreadablePicture as reason:
            rejected.append((row["source_file"], str(reason)))
    columns = ["id", "file", *table.columns.drop("file"), "source_file"]
    return pd.DataFrame(readable, columns=columns), pd.DataFrame(rejected, columns=["source_file", "reason"])


def _with_nearest(root: Path, rejected: pd.DataFrame) -> list[str]:
    """The reasons; for a file that is not there, with the name that may be meant."""
    missing = rejected["reason"] == NO_SUCH_FILE
    files = Files(root) if missing.any() else None
    reasons = []
    for name, reason in zip(rejected["source_file"], rejected["reason"], strict=True):
        nearest = files.nearest(name) if files and reason == NO_SUCH_FILE else None
        reasons.append(f"{reason}: the nearest name there is {nearest}" if nearest else reason)
    return reasons
