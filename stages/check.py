"""Refuse a wrong params.yaml before any work.

In: the whole of params.yaml, and the paths it names.
Out: data/checked.txt, the same bytes every time, so that a change elsewhere in params.yaml reruns this alone;
data/study.json, the names and titles of tasks, variants and seeds in their order, which the stages that
lay models side by side depend on, rather than on all that a variant holds.
"""

import sys
from pathlib import Path

from stages import params, paths
from stages.errors import StudyError, main
from stages.writing import write_json, write_text

CHECKED = "params.yaml is in order\n"
OTHER = "other"  # what a binary task calls every label but the positive one


def check() -> None:
    """Write both files; StudyError that names every key at fault and what would be right."""
    settings = params.load()
    faults = [*_paths_missing(settings), *_paths_in_outputs(settings), *_tasks(settings)]
    if faults:
        raise StudyError(f"{paths.PARAMS} is wrong:\n" + "\n".join(f"  {fault}" for fault in faults))
    write_text(paths.CHECKED, CHECKED)
    study = {
        "tasks": {name: task.model_dump() for name, task in settings.tasks.items()},
        "variants": {name: variant.title for name, variant in settings.variants.items()},
        "seeds": settings.seeds,
    }
    write_json(paths.STUDY, study)


def _paths_missing(settings: params.Params) -> list[str]:
    data, weights = settings.data, settings.weights
    # DVC depends on both folders whatever the source, and would end with a message of its own.
    folders = {"data.folder.path": data.folder.path, "weights.pretrain.path": weights.pretrain.path}
    files = {"preprocess.detector_file": settings.preprocess.detector_file}
    if data.source == "archive" and "://" not in (data.archive.location or "://"):
        files["data.archive.location"] = data.archive.location
    if weights.source == "file":
        for name, architecture in weights.architectures.items():
            files[f"weights.architectures.{name}.file.path"] = architecture.file.path
    faults = [f"{key}: there is no folder {path}" for key, path in folders.items() if not Path(path).is_dir()]
    faults += [f"{key}: there is no file {path}" for key, path in files.items() if path and not Path(path).is_file()]
    needed = {
        "data.archive.location": (data.source == "archive" and data.archive.location is None, "a URL or a path"),
        "preprocess.detector_file": (
            settings.preprocess.detector == "yunet" and settings.preprocess.detector_file is None,
            "the path of YuNet's ONNX file, or preprocess.detector: haar",
        ),
    }
    for name, architecture in weights.architectures.items():
        missing = weights.source == "file" and architecture.file.path is None
        needed[f"weights.architectures.{name}.file.path"] = (missing, "the path of a weights file")
    return faults + [f"{key}: is null; set it to {right}" for key, (missing, right) in needed.items() if missing]


def _paths_in_outputs(settings: params.Params) -> list[str]:
    """Photo folders that the pipeline itself writes to, or that hold what it writes."""
    below_data = (
        paths.RAW,
        paths.split("any").parent,
        paths.leaks("any").parent,
        paths.prepared("any").parent,
        paths.weights("any").parent,
        paths.EXPORTED,
    )
    models = (paths.start("any").parent, paths.checkpoint("", "", 0).parent, paths.histograms("", "", 0).parent)
    outputs = [path.resolve() for path in (*below_data, *models, paths.METRICS, paths.PLOTS)]
    faults = []
    for key, path in {
        "data.folder.path": settings.data.folder.path,
        "weights.pretrain.path": settings.weights.pretrain.path,
    }.items():
        place = Path(path).resolve()
        for output in outputs:
            if place.is_relative_to(output) or output.is_relative_to(place):
                faults.append(f"{key}: {path} overlaps {output.name}/, which the pipeline writes; move the photos")
                break
    return faults


def _tasks(settings: params.Params) -> list[str]:
    faults = [
        f"tasks.{task}.positive: {OTHER!r} is the name of all labels but the positive one; rename the label"
        for task, values in settings.tasks.items()
        if (values.positive or "").strip().lower() == OTHER
    ]
    for source in ("folder", "archive", "git", "drive"):
        for task in getattr(settings.data, source).columns.tasks():
            if task not in settings.tasks:
                known = ", ".join(["file", "person", *settings.tasks])
                faults.append(f"data.{source}.columns.{task}: no such key; allowed are {known}")
    return faults


if __name__ == "__main__":
    main(check, *sys.argv[1:])
