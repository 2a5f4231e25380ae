"""Bring the photos and their labels in from `data.source`.

In: data.source and its section of params.yaml.
Out: data/raw/ (images/<id>.<ending> with the original bytes, index.csv, rejected.csv) and
metrics/download.json, which holds counts alone: it is in Git, where no person is named. Where no picture is left, only
data/rejected.csv, with the reason for each.
"""

import sys
from collections import Counter

from facestudy.contracts.counts import DownloadReport, LabelCount
from facestudy.csv_writer import write_csv
from facestudy.errors import StudyError
from facestudy.project import parameters, paths
from facestudy.project.files import whole_folder, write_json
from facestudy.sources.collection import Collection, collected
from facestudy.stage import run

MAX_LABELS = 20  # more are names of people rather than classes
MAX_SHOWN = 3  # pictures that are left out, in a message


def download() -> None:
    """Write data/raw and metrics/download.json; StudyError where no labelled picture is left."""
    settings = parameters.read()
    data = settings.data
    paths.REJECTED.unlink(missing_ok=True)
    with collected(data, settings.seed) as collection, whole_folder(paths.RAW) as raw:
        report = _report(data.source, collection)
        if not report.pictures:
            _refuse(report, collection)
        collection.write(raw)
    write_json(paths.DOWNLOAD_REPORT, report)
    _print_summary(report)


def _refuse(report: DownloadReport, collection: Collection) -> None:
    total = report.copies + sum(report.rejected.values())
    lines = [f"no labelled picture is left of {total} (data.source: {report.source})"]
    lines += [f"  {count} {reason}" for reason, count in report.rejected.items()]
    if total:
        write_csv(paths.REJECTED, collection.rejected)
        first = collection.rejected.head(MAX_SHOWN).itertuples()
        lines += ["first:", *(f"  {row.source_file}: {row.reason}" for row in first), f"all: {paths.REJECTED}"]
    raise StudyError("\n".join(lines))


def _report(source: str, collection: Collection) -> DownloadReport:
    labels: dict[str, LabelCount | dict[str, int]] = {}
    for task in collection.tasks:
        counts = Counter(sorted(label for label in collection.pictures[task] if label))
        many = len(counts) > MAX_LABELS
        totals = LabelCount(kind="totals", labels=len(counts), pictures=counts.total())
        labels[task] = totals if many else dict(counts)
    kinds = Counter(reason.split(":")[0] for reason in collection.rejected["reason"])
    return DownloadReport(
        source=source,
        pictures=len(collection.pictures),
        copies=collection.copies,
        rejected=dict(sorted(kinds.items())),
        labels=labels,
    )


def _print_summary(report: DownloadReport) -> None:
    print(f"{report.pictures} pictures from {report.source}, {report.copies} exact copies counted once")
    for reason, count in report.rejected.items():
        print(f"  left out: {count} {reason}")
    if report.rejected:
        print(f"  each with its reason in {paths.RAW / 'rejected.csv'}", file=sys.stderr)
    for task, counts in report.labels.items():
        if isinstance(counts, LabelCount):
            print(f"  {task}: {counts.labels} labels, {counts.pictures} pictures")
        else:
            print(f"  {task}: {', '.join(f'{count} {label}' for label, count in counts.items()) or 'no labels'}")


if __name__ == "__main__":
    run(download)
