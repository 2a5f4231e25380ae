"""Write a model as ONNX, in full precision and in eight bits, for use without torch.

In: data/prepared/<task>/ with its settings.json, the model's checkpoint, and its scores.json for the temperature.
Out: data/exported/<task>/<variant>/<seed>.onnx and <seed>_int8.onnx, whose metadata hold all that turns a photo into
their input; metrics/exports/<task>/<variant>/<seed>.json with file sizes and the accuracy of each form;
timings/<task>/<variant>/<seed>/export.json.
"""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import softmax

from facestudy.contracts.exports import ExportedMetadata, ExportReport, ExportTiming, Preparation
from facestudy.contracts.scores import Scores
from facestudy.errors import StudyError
from facestudy.exports.conversion import save, to_int8, to_onnx, without_network
from facestudy.exports.exported import BATCH, Exported, network_input
from facestudy.models import checkpoints
from facestudy.models.metadata import CheckpointMetadata, EmptyMetadata
from facestudy.models.packed import Packed
from facestudy.models.trained import trained
from facestudy.project import paths
from facestudy.project.files import Unavailable, read_json, write_json
from facestudy.stage import run

TOLERANCE = 1e-4  # largest difference of a probability
CALIBRATION_PICTURES = 256  # training pictures that set the ranges of the eight-bit form
TIMED_RUNS = 15
Faces = NDArray[np.uint8]  # (N, size, size, 3) in RGB
Forms = dict[str, Callable[[Faces], NDArray[np.float32]]]  # logits (N, K) of faces, by form


def export(task: str, variant: str, seed: int) -> None:
    """Write both forms; raises StudyError where ONNX Runtime's probabilities are not torch's."""
    files = {"torch": paths.checkpoint(task, variant, seed)}
    files |= {form: paths.exported(task, variant, seed, form) for form in ("onnx", "int8")}
    state, trained_as = checkpoints.load(files["torch"], CheckpointMetadata)
    if isinstance(trained_as, EmptyMetadata):
        for form in ("onnx", "int8"):
            save(without_network(trained_as), files[form])
        write_json(paths.export_report(task, variant, seed), Unavailable(reason=trained_as.reason))
        return
    metadata = _metadata(trained_as)
    network = trained(state, trained_as, torch.device("cpu"))
    packed = Packed.read(paths.prepared(task)).for_seed(seed)
    model = to_onnx(network, metadata)
    save(model, files["onnx"])
    rows, _, _ = packed.part("train", metadata.classes)
    chosen = rows[np.linspace(0, len(rows) - 1, min(len(rows), CALIBRATION_PICTURES)).astype(int)]
    save(to_int8(model, packed.images[chosen], metadata), files["int8"])

    forms: Forms = {"torch": lambda faces: _by_torch(network, faces, metadata)}
    forms |= {form: Exported.load(files[form], torch.get_num_threads()).logits for form in ("onnx", "int8")}
    report = _compared(packed, forms, files, metadata)
    write_json(paths.export_report(task, variant, seed), report)
    timing = _timed(forms, packed.images[:1])
    write_json(paths.timing(task, variant, seed, "export"), timing)
    parts = (f"{form} {size / 1e6:.0f} MB, {timing.latency_ms[form]:.1f} ms" for form, size in report.bytes.items())
    print(f"{task}, {variant}: {'; '.join(parts)}")


def _metadata(trained_as: CheckpointMetadata) -> ExportedMetadata:
    fields = set(ExportedMetadata.model_fields) & set(CheckpointMetadata.model_fields) - {"format"}  # each its own
    shared = trained_as.model_dump(include=fields)
    folder = paths.model_metrics(trained_as.task, trained_as.variant, trained_as.seed)
    scores = read_json(folder / "scores.json", Scores)
    preparation = read_json(paths.prepared(trained_as.task) / "settings.json", Preparation)
    return ExportedMetadata(
        **shared,
        temperature=scores.calibration.temperature,
        validation_accuracy=scores.accuracy,
        **dict(preparation),
    )


def _by_torch(network: torch.nn.Module, faces: Faces, metadata: ExportedMetadata) -> NDArray[np.float32]:
    pictures = torch.from_numpy(network_input(faces, metadata))
    with torch.inference_mode():
        return np.asarray(torch.cat([network(batch) for batch in torch.split(pictures, BATCH)]).numpy())


def _compared(packed: Packed, forms: Forms, files: dict[str, Path], metadata: ExportedMetadata) -> ExportReport:
    """The forms on the validation pictures; raises StudyError where ONNX Runtime's probabilities are not torch's."""
    rows, labels, _ = packed.part("validation", metadata.classes)
    logits = {form: run_form(packed.images[rows]) for form, run_form in forms.items()}
    by_onnx, by_torch = (softmax(logits[form].astype(np.float64), axis=1) for form in ("onnx", "torch"))
    difference = float(np.abs(by_onnx - by_torch).max())
    if not difference <= TOLERANCE:
        raise StudyError(
            f"{files['onnx']}: a probability differs from torch's by {difference:.2g}, more than {TOLERANCE:g}; "
            "try another version of torch or onnxruntime"
        )
    return ExportReport(
        reason=None,
        pictures=len(rows),
        largest_probability_difference=difference,
        accuracy={form: float((each.argmax(axis=1) == labels.numpy()).mean()) for form, each in logits.items()},
        bytes={form: path.stat().st_size for form, path in files.items()},
    )


def _timed(forms: Forms, face: Faces) -> ExportTiming:
    """Milliseconds of each form for one face, the median of some runs after as many that warm up."""
    latency = {}
    for form, run_form in forms.items():
        seconds = []
        for _ in range(2 * TIMED_RUNS):
            began = time.perf_counter()
            run_form(face)
            seconds.append(time.perf_counter() - began)
        latency[form] = round(1000 * median(seconds[TIMED_RUNS:]), 2)
    return ExportTiming(latency_ms=latency, threads=torch.get_num_threads())


if __name__ == "__main__":
    run(export)
