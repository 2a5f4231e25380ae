"""Every path of the project, once, relative to the repository's root (where DVC runs the stages)."""

from pathlib import Path

PARAMS = Path("params.yaml")
DATA = Path("data")
CHECKED = DATA / "checked.txt"
STUDY = DATA / "study.json"
RAW = DATA / "raw"
METRICS = Path("metrics")
PLOTS = Path("plots")
PRETRAIN_PEOPLE = "pretrain"  # stands where a task's name does, below data/prepared
REPORT_MARKDOWN = PLOTS / "report.md"
REPORT_HTML = PLOTS / "report.html"
DOWNLOAD_REPORT = METRICS / "download.json"


def split(task: str) -> Path:
    return DATA / "splits" / f"{task}.csv"


def prepared(task: str) -> Path:
    return DATA / "prepared" / task


def weights(arch: str) -> Path:
    return DATA / "weights" / f"{arch}.safetensors"


def start(variant: str) -> Path:
    return DATA / "starts" / f"{variant}.safetensors"


def checkpoint(task: str, variant: str, seed: int) -> Path:
    return DATA / "checkpoints" / task / variant / f"{seed}.safetensors"


def histograms(task: str, variant: str, seed: int) -> Path:
    return DATA / "histograms" / task / variant / f"{seed}.safetensors"


def task_metrics(task: str) -> Path:
    """Folder of what is measured once per task: split.json, preprocess.json, and the models' folders."""
    return METRICS / task


def model_metrics(task: str, variant: str, seed: int) -> Path:
    """Folder of history.csv, scores.json, predictions.csv, epochs.log and timing.json."""
    return METRICS / task / variant / str(seed)


def task_plots(task: str) -> Path:
    """Folder of the tables that `dvc plots` draws: curves.csv, confusion.csv, confusion_zscore.csv."""
    return PLOTS / task


def task_figures(task: str) -> Path:
    """Folder of the folders that `plot` fills, one for each model."""
    return PLOTS / "figures" / task


def model_figures(task: str, variant: str, seed: int) -> Path:
    """Folder of a model's pictures, with copies of its history.csv and scores.json for `compare`."""
    return task_figures(task) / f"{variant}_{seed}"


def comparison(task: str) -> Path:
    """The picture of a task's variants side by side."""
    return PLOTS / "comparison" / f"{task}.png"
