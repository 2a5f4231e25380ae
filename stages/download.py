"""Bring the photos and their labels in from `data.source`.

In: data.source and its section of params.yaml.
Out: data/raw/ (images/<id>.<ending> with the original bytes, index.csv, rejected.csv) and
metrics/download.json, which holds counts alone: it is in Git, where no person is named.
"""

import importlib
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from stages import params, paths
from stages.errors import StudyError, main
from stages.faces.reading import UnreadablePicture, ending, read
from stages.sources import copies, folder
from stages.writing import whole_folder, write_csv, write_json

SAMPLE_TASKS = ["face", "emotion"]
MOST_LABELS = 20  # more are names of people rather than classes


def download() -> None:
    """Write data/raw and metrics/download.json; StudyError where no labelled picture is left."""
    seed, data = params.read("seed", "data")
    paths.DATA.mkdir(exist_ok=True)
    with _source(seed, data) as (root, table), whole_folder(paths.RAW) as raw:
        tasks = _tasks(data)
        read_table, unreadable = _read_all(root, table, data.max_megapixels)
        index, contradicting = copies.merge(read_table, tasks)
        rejected = pd.concat([unreadable, contradicting], ignore_index=True).sort_values("source_file")
        report = _report(data.source, tasks, index, rejected, copied=len(read_table) - len(contradicting) - len(index))
        if index.empty:
            reasons = "".join(f"\n  {count} {reason}" for reason, count in report["rejected"].items())
            raise StudyError(f"no labelled picture is left of {len(table)} (data.source: {data.source}){reasons}")
        (raw / "images").mkdir()
        for row in index.itertuples():
            copied = Path(shutil.copyfile(root / str(row.source_file), raw / "images" / str(row.file)))
            if copies.picture_id(copied) != row.id:
                raise StudyError(f"{root / str(row.source_file)} changed while it was read; run `dvc repro` again")
        order = ["file", "person", *tasks, "source_file"]
        write_csv(raw / "index.csv", index[order + [name for name in index if name not in {*order, "id"}]])
        write_csv(raw / "rejected.csv", rejected)
    write_json(paths.DOWNLOAD_REPORT, report)
    _tell(report)


@contextmanager
def _source(seed: int, data: params.Data) -> Iterator[tuple[Path, pd.DataFrame]]:
    """The source's folder and its table of pictures; what was fetched is removed in the end."""
    settings = getattr(data, data.source)
    if data.source == "folder":
        root = Path(settings.path)
        yield root, folder.collect(settings, root)
        return
    # Only the source in use is imported: gdown alone takes longer to import than a folder takes to read.
    source = importlib.import_module(f"stages.sources.{data.source}")
    root = paths.FETCHING
    shutil.rmtree(root, ignore_errors=True)  # of a run that was killed
    root.mkdir()
    try:
        if data.source == "sample":
            yield root, source.collect(settings, seed, root)
        else:
            root = source.fetch(settings, root)
            yield root, folder.collect(settings, root)
    finally:
        shutil.rmtree(paths.FETCHING)


def _tasks(data: params.Data) -> list[str]:
    return SAMPLE_TASKS if data.source == "sample" else list(getattr(data, data.source).columns.tasks())


def _read_all(root: Path, table: pd.DataFrame, max_megapixels: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows whose picture can be read, with id, and those whose picture cannot, with the reason."""
    kept, rejected = [], []
    for row in table.rename(columns={"file": "source_file"}).to_dict("records"):
        path = root / row["source_file"]
        try:
            read(path, max_megapixels)
            row["id"] = copies.picture_id(path)
            row["file"] = row["id"] + ending(path, max_megapixels)
            kept.append(row)
        except UnreadablePicture as reason:
            rejected.append((row["source_file"], str(reason)))
    columns = ["id", "file", *table.columns.drop("file"), "source_file"]
    return pd.DataFrame(kept, columns=columns), pd.DataFrame(rejected, columns=["source_file", "reason"])


def _report(source: str, tasks: list[str], index: pd.DataFrame, rejected: pd.DataFrame, copied: int) -> dict[str, Any]:
    labels: dict[str, Any] = {}
    for task in tasks:
        counts = Counter(sorted(label for label in index[task] if label))
        if len(counts) > MOST_LABELS:
            labels[task] = {"labels": len(counts), "pictures": counts.total()}
        else:
            labels[task] = dict(counts)
    kinds = Counter(reason.split(":")[0] for reason in rejected["reason"])
    return {
        "source": source,
        "pictures": len(index),
        "copies": copied,
        "rejected": dict(sorted(kinds.items())),
        "labels": labels,
    }


def _tell(report: dict[str, Any]) -> None:
    left_out = sum(report["rejected"].values())
    print(f"{report['pictures']} pictures from {report['source']}, {report['copies']} exact copies counted once")
    for reason, count in report["rejected"].items():
        print(f"  left out: {count} {reason}")
    if left_out:
        print(f"  each with its reason in {paths.RAW / 'rejected.csv'}", file=sys.stderr)
    for task, counts in report["labels"].items():
        told = ", ".join(f"{count} {label}" for label, count in counts.items()) or "no labels"
        print(f"  {task}: {told}")


if __name__ == "__main__":
    main(download, *sys.argv[1:])
