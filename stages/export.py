"""Write a model as ONNX, in full precision and in eight bits, for use without torch.

In: data/prepared/<task>/, the model's checkpoint and scores.json (for the temperature).
Out: data/exported/<task>/<variant>/<seed>.onnx and <seed>_int8.onnx, which hold in their metadata all that turns a
photo into their input; export.json, with file sizes and the accuracy of each form; beside it export_timing.json.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from scipy.special import softmax

from stages import paths
from stages.errors import StudyError, main, seed_of
from stages.exporting.convert import to_int8, to_onnx, without_network
from stages.exporting.model import BATCH, Exported, network_input
from stages.figures.results import read_json
from stages.params import read
from stages.training import checkpoints
from stages.training.pictures import Packed
from stages.training.trained import trained
from stages.writing import whole_file, write_json

TOLERANCE = 1e-4  # largest difference of a probability
CALIBRATION_PICTURES = 256  # training pictures that set the ranges of the eight-bit form
TIMED_RUNS = 15


def export(task: str, variant: str, seed_text: str) -> None:
    """Write both forms; StudyError where ONNX Runtime's probabilities are not torch's."""
    seed = seed_of(seed_text)
    preprocess, max_megapixels = read("preprocess", "data.max_megapixels")
    metrics, checkpoint = paths.model_metrics(task, variant, seed), paths.checkpoint(task, variant, seed)
    targets = {form: paths.exported(task, variant, seed, form) for form in ("onnx", "int8")}
    state, trained_as = checkpoints.load(checkpoint)
    if "reason" in trained_as:
        for target in targets.values():
            _save(without_network(trained_as), target)
        write_json(metrics / "export.json", {"reason": trained_as["reason"]})
        return
    scores = read_json(metrics / "scores.json")
    about = {name: trained_as[name] for name in ("task", "variant", "seed", "classes", "positive", "size")} | {
        "mean": trained_as["mean"], "std": trained_as["std"], "title": trained_as["recipe"]["title"],
        "temperature": scores["calibration"]["temperature"] or 1.0, "validation_accuracy": scores["accuracy"],
        "preprocess": preprocess.model_dump(), "max_megapixels": max_megapixels,
    }  # fmt: skip
    network = trained(state, trained_as, torch.device("cpu"))
    packed = Packed.read(paths.prepared(task)).seen_by(seed)
    model = to_onnx(network, about)
    _save(model, targets["onnx"])
    rows, _, _ = packed.part("train", about["classes"])
    few = rows[np.linspace(0, len(rows) - 1, min(len(rows), CALIBRATION_PICTURES)).astype(int)]
    _save(to_int8(model, packed.images[few], about), targets["int8"])

    rows, labels, _ = packed.part("validation", about["classes"])
    exported = {form: Exported.load(target) for form, target in targets.items()}
    in_torch = lambda faces: _by_torch(network, network_input(faces, about))  # noqa: E731
    forms = {"torch": in_torch, **{form: each.logits for form, each in exported.items()}}
    faces = packed.images[rows]
    logits = {form: run(faces) for form, run in forms.items()}
    by_onnx, by_torch = (softmax(logits[form].astype(np.float64), axis=1) for form in ("onnx", "torch"))
    difference = float(np.abs(by_onnx - by_torch).max())
    if not difference <= TOLERANCE:
        raise StudyError(
            f"{targets['onnx']}: a probability differs from torch's by {difference:.2g}, more than {TOLERANCE:g}; "
            "try another version of torch or onnxruntime"
        )
    files = {"torch": checkpoint, **targets}
    write_json(metrics / "export.json", {
        "reason": None, "pictures": len(rows), "largest_probability_difference": difference,
        "accuracy": {form: float((found.argmax(axis=1) == labels.numpy()).mean()) for form, found in logits.items()},
        "bytes": {form: path.stat().st_size for form, path in files.items()},
    })  # fmt: skip
    latency = {form: _latency(run, faces[:1]) for form, run in forms.items()}
    write_json(metrics / "export_timing.json", {"latency_ms": latency, "threads": torch.get_num_threads()})
    told = (f"{form} {files[form].stat().st_size / 1e6:.0f} MB, {latency[form]:.1f} ms" for form in forms)
    print(f"{task}, {variant}: {'; '.join(told)}")


def _by_torch(network: torch.nn.Module, pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    with torch.inference_mode():
        found = [network(part) for part in torch.split(torch.from_numpy(pictures), BATCH)]
    return np.asarray(torch.cat(found).numpy())


def _latency(run: Callable[[NDArray[np.uint8]], Any], face: NDArray[np.uint8]) -> float:
    """Milliseconds for one face, the median of some runs after as many that warm up."""
    seconds = []
    for _ in range(2 * TIMED_RUNS):
        began = time.perf_counter()
        run(face)
        seconds.append(time.perf_counter() - began)
    return round(1000 * median(seconds[TIMED_RUNS:]), 2)


def _save(model: onnx.ModelProto, target: Path) -> None:
    with whole_file(target) as temporary:
        temporary.write_bytes(model.SerializeToString(deterministic=True))


if __name__ == "__main__":
    main(export, *sys.argv[1:])
