"""Every path of the project, once, relative to the repository's root (where DVC runs the stages)."""

from pathlib import Path

PARAMS = Path("params.yaml")
PIPELINE = Path("dvc.yaml")
DATA = Path("data")
CHECKED = DATA / "checked.txt"
STUDY = DATA / "study.json"
RAW = DATA / "raw"
FETCHING = DATA / ".fetching"  # what a source brings in, until it is in RAW
EXPORTED = DATA / "exported"
METRICS = Path("metrics")
PLOTS = Path("plots")
PRETRAIN_PEOPLE = "pretrain"  # stands where a task's name does, below data/prepared
REPORT_MARKDOWN = PLOTS / "report.md"
REPORT_HTML = PLOTS / "report.html"
DOWNLOAD_REPORT = METRICS / "download.json"


def split(task: str) -> Path:
    return DATA / "splits" / f"{task}.csv"


def leaks(task: str) -> Path:
    """Folder of what `leaks` found between the sides of a split."""
    return DATA / "leaks" / task


def prepared(task: str) -> Path:
    return DATA / "prepared" / task


def weights(arch: str) -> Path:
    return DATA / "weights" / f"{arch}.safetensors"


def start(variant: str) -> Path:
    return DATA / "starts" / f"{variant}.safetensors"


def checkpoint(task: str, variant: str, seed: int) -> Path:
    return DATA / "checkpoints" / task / variant / f"{seed}.safetensors"


def exported(task: str, variant: str, seed: int, form: str) -> Path:
    suffix = {"onnx": "", "int8": "_int8"}[form]
    return EXPORTED / task / variant / f"{seed}{suffix}.onnx"


def resume(task: str, variant: str, seed: int) -> Path:
    """What an unfinished training left; apart from DVC's outputs, which are removed before a stage runs."""
    return Path(".resume") / task / variant / f"{seed}.safetensors"


def histograms(task: str, variant: str, seed: int) -> Path:
    return DATA / "histograms" / task / variant / f"{seed}.safetensors"


def task_metrics(task: str) -> Path:
    """Folder of what is measured once per task (split, leaks, preprocess, differences), and the models' folders."""
    return METRICS / task


def model_metrics(task: str, variant: str, seed: int) -> Path:
    """Folder of all that is measured of a model, from history.csv to scores.json."""
    return METRICS / task / variant / str(seed)


def task_plots(task: str) -> Path:
    """Folder of the tables that `dvc plots` draws."""
    return PLOTS / task


def task_figures(task: str) -> Path:
    """Folder of the folders that `plot` fills, one for each model."""
    return PLOTS / "figures" / task


def model_figures(task: str, variant: str, seed: int) -> Path:
    """Folder of a model's pictures, with copies of what `compare` reads."""
    return task_figures(task) / f"{variant}_{seed}"


def comparison(task: str) -> Path:
    """The picture of a task's variants side by side."""
    return PLOTS / "comparison" / f"{task}.png"


def challenges(task: str) -> Path:
    """The picture of a task's variants on hard versions of the validation pictures."""
    return PLOTS / "comparison" / f"{task}_challenges.png"


def mistakes(task: str) -> Path:
    """Folder of a page of mistakes for each model."""
    return PLOTS / "mistakes" / task
