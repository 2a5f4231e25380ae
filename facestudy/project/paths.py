"""Every path of the project, once, relative to the repository's root (where DVC runs the stages)."""

from pathlib import Path

PARAMS = Path("params.yaml")
PIPELINE = Path("dvc.yaml")
DATA = Path("data")
CHECKED = DATA / "checked.txt"
STUDY = DATA / "study.json"
RAW = DATA / "raw"
FETCHING = DATA / ".fetching"  # what a source brings in, until it is in RAW
REJECTED = DATA / "rejected.csv"  # where no photo is left for RAW: each with its reason
EXPORTED = DATA / "exported"
METRICS = Path("metrics")
TIMINGS = Path("timings")  # seconds and memory, apart from what repeats
PLOTS = Path("plots")
PRETRAIN_PEOPLE = "pretrain"  # stands where a task's name does, below data/prepared
REPORT_MARKDOWN = PLOTS / "report.md"
REPORT_HTML = PLOTS / "report.html"
DOWNLOAD_REPORT = METRICS / "download.json"
PRETRAINING_REPORT = METRICS / "pretraining.json"


def split(task: str) -> Path:
    return DATA / "splits" / f"{task}.csv"


def leaks(task: str) -> Path:
    """Folder of what `leaks` found between the sides of a split."""
    return DATA / "leaks" / task


def prepared(task: str) -> Path:
    return DATA / "prepared" / task


def weights(arch: str) -> Path:
    return DATA / "weights" / f"{arch}.safetensors"


def initial_weights(variant: str) -> Path:
    return DATA / "initial_weights" / f"{variant}.safetensors"


def checkpoint(task: str, variant: str, seed: int) -> Path:
    return DATA / "checkpoints" / task / variant / f"{seed}.safetensors"


def exported(task: str, variant: str, seed: int, form: str) -> Path:
    suffix = {"onnx": "", "int8": "_int8"}[form]
    return EXPORTED / task / variant / f"{seed}{suffix}.onnx"


def model_card(task: str, variant: str) -> Path:
    """Beside the exported models of the variant."""
    return EXPORTED / task / variant / "README.md"


def resume(task: str, variant: str, seed: int) -> Path:
    """State of an unfinished training; apart from DVC's outputs, which are removed before a stage runs."""
    return Path(".resume") / task / variant / f"{seed}.safetensors"


def histograms(task: str, variant: str, seed: int) -> Path:
    return DATA / "histograms" / task / variant / f"{seed}.safetensors"


def task_metrics(task: str) -> Path:
    """Folder of what is counted once per task (split, leaks, preprocess), and of the models' folders."""
    return METRICS / task


def model_metrics(task: str, variant: str, seed: int) -> Path:
    """Folder of history.csv, epochs.log, scores.json, predictions.csv, corruptions.csv and roc.csv of a model."""
    return METRICS / task / variant / str(seed)


def export_report(task: str, variant: str, seed: int) -> Path:
    """Apart from the model's other metrics, so that what reads those waits for no export."""
    return METRICS / "exports" / task / variant / f"{seed}.json"


def differences(task: str) -> Path:
    """Apart from the task's metrics, on which the stage that writes it depends."""
    return METRICS / "differences" / f"{task}.json"


def timing(task: str, variant: str, seed: int, stage: str) -> Path:
    """Seconds and memory of a model's `train` or `export`."""
    return TIMINGS / task / variant / str(seed) / f"{stage}.json"


def plot_table(name: str, task: str) -> Path:
    """A table that `dvc plots` draws: curves, confusion, confusion_zscore or corruptions."""
    return PLOTS / name / f"{task}.csv"


def task_figures(task: str) -> Path:
    """Folder of the folders of figures, one for each model."""
    return PLOTS / "figures" / task


def model_figures(task: str, variant: str, seed: int) -> Path:
    """Folder of a model's figures."""
    return task_figures(task) / f"{variant}_{seed}"


def comparison(task: str) -> Path:
    """The figure of a task's variants side by side."""
    return PLOTS / "comparison" / f"{task}.png"


def corruptions(task: str) -> Path:
    """The figure of a task's variants on corrupted validation pictures."""
    return PLOTS / "comparison" / f"{task}_corruptions.png"


def mistakes(task: str) -> Path:
    """Folder of a page of mistakes for each model."""
    return PLOTS / "mistakes" / task


# Names that stand where a task's name does below data/prepared and metrics/.
RESERVED = {PRETRAIN_PEOPLE, "exports", "differences"}
