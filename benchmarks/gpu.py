"""What a GPU does with the original study: at most 8 minutes on one, without DVC and without a network.

    python -m benchmarks.gpu [--small] FOLDER

draws and packs the study in a temporary folder, prints a line for each figure, and writes FOLDER/gpu.json after each
part; as docs/benchmarks/gpu.json it becomes the table "On a GPU" (`python -m benchmarks.bench --page`). A part that
fails is named with its error, the others still run, and the exit status is 1. `--small` is for two cores without a GPU:
few pictures of 32 px and small networks.

Of requirements.txt it needs torch, torchvision, lightning-fabric, safetensors, pyyaml, ruamel.yaml, pandas, numpy,
scikit-learn, scipy, statsmodels, pillow, opencv-python-headless, pydantic, rich, filelock, psutil and joblib.
"""

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import chdir, redirect_stdout
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("WANDB_MODE", "disabled")

import psutil
import torch

from benchmarks import gpu_checks, gpu_speed, gpu_study
from benchmarks.gpu_page import BOUNDS
from benchmarks.gpu_speed import Row
from facestudy.project.files import write_json

MINUTES = 6.5  # after which nothing begins: a network takes up to a minute to compile
Part = Callable[[gpu_study.Study], list[Row]]
PARTS: dict[str, Part] = {
    "waits": gpu_checks.waits,
    "models": gpu_checks.models,
    "precisions": lambda study: gpu_speed.precisions(study, "precisions"),
    "agreement": gpu_checks.agreement,
    "resumed": gpu_checks.resumed,
    "twice": gpu_checks.twice,
    "streamed": gpu_checks.streamed,
    "compiled": lambda study: gpu_speed.precisions(study, "compiled"),
}


def description() -> dict[str, Any]:
    """What the figures hold for."""
    on_gpu = torch.cuda.is_available()
    return {
        "date": time.strftime("%Y-%m-%d"),
        "gpu": torch.cuda.get_device_name() if on_gpu else None,
        "gpu_memory_gb": round(torch.cuda.get_device_properties(0).total_memory / 1e9) if on_gpu else None,
        "cuda": torch.version.cuda,
        "cores": psutil.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("torch", "torchvision", "lightning-fabric")},
    }


def measure(folder: Path, small: bool, parts: dict[str, Part]) -> int:
    """Run the parts on a study in a temporary folder; write FOLDER/gpu.json. The number of parts that failed."""
    began = time.perf_counter()
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {"machine": description(), "small": small, "parts": {}}
    said = (folder / "gpu.log").open("w", encoding="utf-8", buffering=1)
    with said, tempfile.TemporaryDirectory(prefix="gpu-") as name, chdir(name):
        study: list[gpu_study.Study] = []

        def draw() -> list[Row]:
            study.append(gpu_study.make(small, began + MINUTES * 60))
            return []

        for part in ("study", *parts):
            run = draw if part == "study" else partial(parts[part], *study)
            if not study and part != "study":
                results["parts"][part] = {"error": "there is no study to train"}
            elif time.perf_counter() - began > MINUTES * 60:
                results["parts"][part] = {"error": f"not begun: {MINUTES} minutes are over"}
            else:
                results["parts"][part] = _result(run, said)
            results["minutes"] = round((time.perf_counter() - began) / 60, 2)
            write_json(folder / "gpu.json", results)
            _print(part, results["parts"][part])
    for name, (bound, value) in BOUNDS.items():
        found = value(results["parts"])
        print(f"bound {name}: {'not measured' if found is None else found} ({bound})", flush=True)
    print(f"minutes: {results['minutes']}", flush=True)
    return sum("error" in part for part in results["parts"].values())


def _result(run: Callable[[], list[Row]], said: Any) -> dict[str, Any]:
    began, rows, fault = time.perf_counter(), list[Row](), ""
    try:
        with redirect_stdout(said):  # the stages' own words
            rows = run()
        bad = [row["error"] for row in rows if "error" in row]
        bad += [f"{row['what']} waits at {row['waits']}" for row in rows if ".py:" in row.get("waits", "")]
        fault = "; ".join(bad)
    except Exception as error:  # whatever it is, the other parts are measured
        fault = f"{type(error).__name__}: {error}"
    result: dict[str, Any] = {"seconds": round(time.perf_counter() - began, 1), "rows": rows}
    return result | ({"error": fault} if fault else {})


def _print(part: str, result: dict[str, Any]) -> None:
    for row in result.get("rows", []):
        print(f"{part}: " + ", ".join(f"{key} {value}" for key, value in row.items()), flush=True)
    print(f"{part}: {'FAILED: ' + result['error'] if 'error' in result else 'done'}", end=" ")
    print(f"in {result.get('seconds', 0)} s", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where gpu.json is written")
    parser.add_argument("--small", action="store_true", help="few pictures of 32 px")
    arguments = parser.parse_args()
    sys.exit(1 if measure(arguments.folder, arguments.small, PARTS) else 0)
