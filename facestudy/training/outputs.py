"""What the train stage writes at its end."""

import resource

import torch
from lightning_fabric import Fabric
from torch import nn

from facestudy.csv_writer import write_csv
from facestudy.models import checkpoints
from facestudy.models.metadata import CheckpointMetadata, EmptyMetadata, HistogramMetadata, TrainingTiming
from facestudy.project import paths
from facestudy.project.files import write_json, write_text
from facestudy.training.history import History, log_line, table


def save(history: History, network: nn.Module, metadata: CheckpointMetadata) -> None:
    """Write the checkpoint, the histograms, history.csv and epochs.log of a training of this network."""
    model = (metadata.task, metadata.variant, metadata.seed)
    histograms = HistogramMetadata(parameters=list(history.recorder.parameters))
    metadata = metadata.model_copy(update={"kept": history.saved_epoch})
    checkpoints.save(paths.checkpoint(*model), history.checkpoint(network), metadata)
    checkpoints.save(paths.histograms(*model), history.recorder.tensors(), histograms)
    lines = [log_line(f"{metadata.variant} {metadata.task}", epoch, metadata.epochs) for epoch in history.epochs]
    write_csv(paths.model_metrics(*model) / "history.csv", table(history.epochs))
    write_text(paths.model_metrics(*model) / "epochs.log", "\n".join(lines) + "\n")


def save_empty(task: str, variant: str, seed: int) -> None:
    """Write the same files for a task without labels, with the reason."""
    metadata = EmptyMetadata(reason=f"no picture has a label for the task {task}")
    print(metadata.reason)
    for target in (paths.checkpoint(task, variant, seed), paths.histograms(task, variant, seed)):
        checkpoints.save(target, {}, metadata)
    write_csv(paths.model_metrics(task, variant, seed) / "history.csv", table([]))
    write_text(paths.model_metrics(task, variant, seed) / "epochs.log", "")


def save_timing(fabric: Fabric, seconds: float, pictures: int, metadata: CheckpointMetadata) -> None:
    """Write the time and memory of a training on `pictures`, over all epochs; on a GPU the memory torch used there."""
    on_gpu = fabric.device.type == "cuda"
    peak = torch.cuda.max_memory_allocated() if on_gpu else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    timing = TrainingTiming(
        seconds=round(seconds, 2),
        pictures_per_second=round(pictures / seconds, 1),
        peak_memory_mb=round(peak / 1e6, 1),
        device=torch.cuda.get_device_name() if on_gpu else "cpu",
        threads=torch.get_num_threads(),
        processes=fabric.world_size,
    )
    write_json(paths.timing(metadata.task, metadata.variant, metadata.seed, "train"), timing)
