"""Refuse a wrong params.yaml, and photos that cannot be read whole, before any work.

In: the whole of params.yaml, the paths it names, and the names of what lies in the folders of photos. DVC runs this
stage for a change of params.yaml alone, since a dependency on the folders would be hashed first, which is where DVC
hangs or fails; after other changes there, `python -m stages.check` looks at them.
Out: data/checked.txt, the same bytes every time, so that a change elsewhere in params.yaml reruns this alone;
data/study.json, the names and titles of tasks, variants and seeds in their order, which the stages that
lay models side by side depend on, rather than on all that a variant holds.
"""

from pathlib import Path

from facestudy.contracts.study import Study, TaskNames
from facestudy.errors import StudyError
from facestudy.project import copies, parameters, paths, sections
from facestudy.project.files import write_json, write_text
from facestudy.project.labels import label_form
from facestudy.project.photo_folders import obstacles
from facestudy.stage import run

CHECKED = "params.yaml is in order\n"
OTHER = "other"  # what a binary task calls every label but the positive one
# Folders that the pipeline writes or empties.
OUTPUTS = (
    *(paths.FETCHING, paths.RAW, paths.EXPORTED, paths.METRICS, paths.TIMINGS, paths.PLOTS),
    *(path("any").parent for path in (paths.split, paths.leaks, paths.prepared, paths.weights, paths.initial_weights)),
    *(paths.checkpoint("", "", 0).parent, paths.histograms("", "", 0).parent, paths.CHECKED, paths.STUDY),
)

# Columns of the tables in data/, which a task's own column would hide.
COLUMNS = {"file", "person", "id", "source_file", "label", "split", "group", "faces_found", "crop"}


def check() -> None:
    """Write both files; StudyError that names every key at fault, or all in the photo folders, and what to do."""
    settings = parameters.load()
    faults = [*_missing_paths(settings), *_paths_in_outputs(settings), *_task_faults(settings)]
    if faults:
        raise StudyError(f"{paths.PARAMS} is wrong:\n" + "\n".join(f"  {fault}" for fault in faults))
    _check_photo_folders(settings)
    write_text(paths.CHECKED, CHECKED)
    tasks = {name: TaskNames(title=task.title, positive=task.positive) for name, task in settings.tasks.items()}
    titles = {name: variant.title for name, variant in settings.variants.items()}
    write_json(paths.STUDY, Study(tasks=tasks, variants=titles, seeds=settings.seeds))


def _photo_folders(settings: sections.Parameters) -> dict[str, str]:
    """By key. DVC depends on both whatever the source, and would end with a message of its own."""
    return {"data.folder.path": settings.data.folder.path, "weights.pretrain.path": settings.weights.pretrain.path}


def _own_files(settings: sections.Parameters) -> dict[str, tuple[str | None, str]]:
    """The files that the user brings, by key; each with what the key takes."""
    data, weights, preprocess = settings.data, settings.weights, settings.preprocess
    files: dict[str, tuple[str | None, str]] = {}
    if data.source == "archive" and "://" not in (data.archive.location or ""):
        files["data.archive.location"] = (data.archive.location, "a URL or a path")
    if preprocess.detector == "yunet" or preprocess.detector_file.path is not None:
        advice = "the path of YuNet's ONNX file, or preprocess.detector: centerface"
        files["preprocess.detector_file.path"] = (preprocess.detector_file.path, advice)
    if weights.source == "file":
        for name, architecture in weights.architectures.items():
            files[f"weights.architectures.{name}.file.path"] = (architecture.file.path, "the path of a weights file")
    return files


def _missing_paths(settings: sections.Parameters) -> list[str]:
    folders = _photo_folders(settings).items()
    hint = copies.hint()
    faults = [
        f"{key}: there is no folder {path}{_home(path)}{hint}" for key, path in folders if not Path(path).is_dir()
    ]
    for key, (file, advice) in _own_files(settings).items():
        if file is None:
            faults.append(f"{key}: is null; set it to {advice}")
        elif not Path(file).is_file():
            faults.append(f"{key}: there is no file {file}{_home(file)}")
    return faults


def _check_photo_folders(settings: sections.Parameters) -> None:
    """Before DVC hashes them, at which it would hang, fail without a name, or look past a part."""
    found = [
        f"  {key}: {obstacle}" for key, path in _photo_folders(settings).items() for obstacle in obstacles(Path(path))
    ]
    if found:
        raise StudyError("not all in the folders of photos can be read:\n" + "\n".join(found))


def _home(path: str) -> str:
    return "; write your home folder out in place of ~" if path.startswith("~") else ""


def _paths_in_outputs(settings: sections.Parameters) -> list[str]:
    """Photo folders that the pipeline itself writes to, or that hold what it writes; files in what it writes.

    DVC deletes the outputs of a stage before it runs, and so what lies among them before it is read.
    """
    faults = []
    for key, (file, _) in _own_files(settings).items():
        inside = [output for output in OUTPUTS if file and Path(file).resolve().is_relative_to(output.resolve())]
        if inside:
            faults.append(f"{key}: {file} is in {inside[0]}/, which the pipeline empties; move the file elsewhere")
    for key, path in _photo_folders(settings).items():
        photos = Path(path).resolve()
        for output in map(Path.resolve, OUTPUTS):
            if photos.is_relative_to(output) or output.is_relative_to(photos):
                faults.append(f"{key}: {path} overlaps {output.name}/, which the pipeline writes; move the photos")
                break
    return faults


def _task_faults(settings: sections.Parameters) -> list[str]:
    faults = []
    for task, names in settings.tasks.items():
        if task in paths.RESERVED:
            faults.append(f"tasks.{task}: {task!r} is the name of a folder beside the tasks' own; rename the task")
        if task in COLUMNS:
            faults.append(f"tasks.{task}: {task!r} is the name of a column beside the tasks' own; rename the task")
        if label_form(names.positive or "") == OTHER:
            name = f"tasks.{task}.positive: {OTHER!r} is the name"
            faults.append(f"{name} of all labels but the positive one; rename the label")
    for source in ("folder", "archive", "git", "drive"):
        for task in getattr(settings.data, source).columns.tasks():
            if task not in {*settings.tasks, *sections.BUILT_IN_TASKS}:
                known = ", ".join(["file", "person", *settings.tasks])
                faults.append(f"data.{source}.columns.{task}: no such key; allowed are {known}")
    return faults


if __name__ == "__main__":
    run(check)
