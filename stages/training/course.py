"""What a training has come to so far: its history, its log, its histograms and the epoch to keep."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from torch import Tensor, nn

from stages.training.histograms import Recorder
from stages.training.loop import Epoch


class Course:
    """All that the train stage writes at the end; its state can be kept after an epoch and put back."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.history: list[Epoch] = []
        self.lines: list[str] = []
        self.seconds = 0.0
        self.best: dict[str, Tensor] = {}
        self.best_epoch, self.best_accuracy = 0, -1.0

    def add(self, epoch: Epoch, line: str, seconds: float) -> None:
        """Take in an epoch with its line of the log and the seconds it took, and count its histograms."""
        self.history.append(epoch)
        self.lines.append(line)
        self.seconds += seconds
        self.recorder.add("gradient")
        self.recorder.add("parameter")

    def take(self, epoch: Epoch, network: nn.Module) -> None:
        """Make the network as it is after an epoch the one to keep."""
        self.best = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        self.best_epoch, self.best_accuracy = epoch.epoch, epoch.val_accuracy

    def state(self, training: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors, with those of `training` beside ours, and what else is to be known (JSON values)."""
        parts = {"training": training, "histograms": self.recorder.tensors(), "best": self.best}
        tensors = {f"{part}.{name}": tensor for part, named in parts.items() for name, tensor in named.items()}
        about = {
            "epoch": len(self.history),
            "history": [asdict(epoch) for epoch in self.history],
            "lines": self.lines,
            "seconds": self.seconds,
            "best": [self.best_epoch, self.best_accuracy],
        }
        return tensors, about

    def restore(self, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> dict[str, Tensor]:
        """Put back what `state` gave; the training's own tensors."""
        parts: dict[str, dict[str, Tensor]] = {"training": {}, "histograms": {}, "best": {}}
        for name, tensor in tensors.items():
            part, _, rest = name.partition(".")
            parts[part][rest] = tensor
        self.recorder.restore(parts["histograms"])
        self.history = [Epoch(**row) for row in about["history"]]
        self.lines, self.seconds, self.best = list(about["lines"]), about["seconds"], parts["best"]
        self.best_epoch, self.best_accuracy = about["best"]
        return parts["training"]
