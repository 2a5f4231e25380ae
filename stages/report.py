"""Write the study: plots/report.md, and plots/report.html from it, one page with all pictures inside.

In: metrics/ (counts, histories, logs, scores, predictions, and timing where there is any), the pictures
in plots/figures/ and plots/comparison/, and the study's names (data/study.json).
Out: the two files, in the order of the original study. A task without labels has its reason in place of its part.
"""

import sys
from typing import Any

import pandas as pd

from stages import params, paths, writing
from stages.errors import StudyError, main
from stages.figures.results import missing, read_json, read_result
from stages.reporting.document import document, pictures
from stages.reporting.page import page, within
from stages.reporting.study import Model, Part, Study

PAGE_LIMIT = 5_000_000  # bytes


def report() -> None:
    """Write both files; raises StudyError where a file of an earlier stage is missing."""
    source, weights = params.read("data.source", "weights.source")
    names = read_json(paths.STUDY)
    parts = [_read_part(task, about, names["variants"], names["seeds"]) for task, about in names["tasks"].items()]
    study = Study(parts, read_json(paths.DOWNLOAD_REPORT), source, weights)
    markdown = document(study)
    shown = {name: _read_picture(name) for name in pictures(study)}
    html = page(markdown, within(shown, PAGE_LIMIT - len(page(markdown, {}).encode())))
    writing.write_text(paths.REPORT_MARKDOWN, markdown)
    writing.write_text(paths.REPORT_HTML, html)


def _read_part(task: str, about: dict[str, Any], titles: dict[str, str], seeds: list[int]) -> Part:
    folder = paths.task_metrics(task)
    split, preprocess = read_json(folder / "split.json"), read_json(folder / "preprocess.json")
    models = [_read_model(task, variant, title, seed) for variant, title in titles.items() for seed in seeds]
    reason = next((model.result.reason for model in models if model.result.reason is not None), None)
    if reason is not None:
        models = []
    leaks, differences = read_json(folder / "leaks.json"), read_json(folder / "differences.json")
    return Part(task, about["title"], about["positive"], models, reason, split, preprocess, leaks, differences)


def _read_model(task: str, variant: str, title: str, seed: int) -> Model:
    folder = paths.model_metrics(task, variant, seed)
    result = read_result(folder, task, variant, title, seed)
    try:
        log = (folder / "epochs.log").read_text(encoding="utf-8")
        challenges = pd.read_csv(folder / "challenges.csv")
        predictions = writing.read_csv(folder / "predictions.csv")
        predictions = predictions[predictions["split"] == "validation"]
    except FileNotFoundError as error:
        raise missing(folder / str(error.filename).rpartition("/")[2]) from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise StudyError(f"a file in {folder} is not readable ({error}); delete it and run `dvc repro`") from None
    files = [folder / name for name in ("timing.json", "export_timing.json")]
    timings = [read_json(file) if file.exists() else None for file in files]
    return Model(result, log, predictions, challenges, read_json(folder / "export.json"), *timings)


def _read_picture(name: str) -> bytes:
    path = paths.PLOTS / name
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise missing(path) from None


if __name__ == "__main__":
    main(report, *sys.argv[1:])
