"""What another machine changes: the same trainings with other threads, instructions and precision.

    python -m benchmarks.variation

after `dvc repro`, in the repository; on an idle machine. Writes docs/benchmarks/variation.json and, from
docs/reproducibility.in.md, docs/reproducibility.md.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from benchmarks.bench import FOLDER, table
from benchmarks.machine import description
from benchmarks.measures import ROOT
from facestudy.project import paths
from facestudy.project.files import write_json, write_text
from tests.inputs import write_params

PAGE, TEXT = Path("docs/reproducibility.md"), Path("docs/reproducibility.in.md")
TASK, VARIANTS, SEED = "face", ("vgg16", "resnet18_scratch"), 0
OLD = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}
CHANGES: dict[str, tuple[dict[str, str], str]] = {
    "nothing": ({}, "auto"),
    "one thread in place of two": ({"OMP_NUM_THREADS": "1"}, "auto"),
    "no bf16 instructions (32-true)": ({}, "32-true"),
    "AVX2 alone, as on older processors (32-true)": (OLD, "32-true"),
}


def trained(variant: str, environment: dict[str, str], precision: str) -> pd.DataFrame:
    """The history of a training with this environment and precision."""
    with TemporaryDirectory(prefix="variation-") as name:
        folder = Path(name)
        write_params(folder, {f"variants.{variant}.precision": precision})
        (folder / "data").mkdir()
        for part in ("prepared", "initial_weights"):
            (folder / "data" / part).symlink_to((ROOT / "data" / part).resolve())
        settings = {**os.environ, "PYTHONPATH": str(ROOT), "WANDB_MODE": "disabled", **environment}
        command = [sys.executable, "-m", "stages.train", TASK, variant, str(SEED)]
        subprocess.run(command, cwd=folder, env=settings, capture_output=True, check=True)
        return pd.read_csv(folder / paths.model_metrics(TASK, variant, SEED) / "history.csv")


def measure() -> list[dict[str, Any]]:
    """A row per variant and change: how its history differs from that of the repository's own run."""
    rows = []
    for variant in VARIANTS:
        here = pd.read_csv(paths.model_metrics(TASK, variant, SEED) / "history.csv")
        for name, (environment, precision) in CHANGES.items():
            difference = trained(variant, environment, precision) - here
            loss, accuracy = difference["val_loss"].abs().max(), difference["val_accuracy"].iloc[-1]
            rows.append({"variant": variant, "change": name, "loss": float(loss), "accuracy": float(accuracy)})
    return rows


def write() -> None:
    """The page, from what was measured."""
    measured = json.loads((FOLDER / "variation.json").read_text(encoding="utf-8"))
    rows = [
        [row["variant"], row["change"], f"{row['loss']:.2g}", f"{100 * row['accuracy']:+.1f}"]
        for row in measured["rows"]
    ]
    head = "variant, face task | what is different | validation loss, at most in an epoch | accuracy at the end, points"
    machine = measured["machine"]
    text = f"{table(head, rows)}\n\n{machine['date']}, {machine['cores']} cores of {machine['processor']}."
    write_text(PAGE, TEXT.read_text(encoding="utf-8").replace("{table}", text))


if __name__ == "__main__":
    write_json(FOLDER / "variation.json", {"machine": description(), "rows": measure()})
    write()
