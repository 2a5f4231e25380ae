"""What a training has produced so far, epoch by epoch."""

import time

import pandas as pd
from pydantic import Field
from torch import Tensor, nn

from facestudy.project.files import Contract
from facestudy.training.histograms import Recorder


class Epoch(Contract):
    """One row of history.csv."""

    epoch: int = Field(description="number, from 1")
    train_loss: float = Field(
        description="mean cross-entropy of the augmented training pictures during the epoch, nats"
    )
    train_accuracy: float = Field(description="share of them that was predicted correctly, 0..1")
    val_loss: float = Field(description="mean cross-entropy of the validation pictures after the epoch, nats")
    val_accuracy: float = Field(description="share of them that was predicted correctly, 0..1")
    lr: float = Field(description="learning rate of the epoch")
    gradient_norm: float | None = Field(
        description="L2 norm of all gradients together, mean over every eighth step, but for those that 16-mixed left "
        "out because they were infinite; empty where it left out all"
    )


COLUMNS = {name: str(field.description) for name, field in Epoch.model_fields.items()}


class History:
    """The epochs of a training, their histograms, and the weights of the best one where the rule asks for it."""

    def __init__(self, recorder: Recorder, rule: str, began: float) -> None:
        """`rule`: training.epoch, "last" or "best". `began`: time.perf_counter() at the start of the training."""
        self.recorder, self.rule, self.began = recorder, rule, began
        self.epochs: list[Epoch] = []
        self.best: dict[str, Tensor] = {}

    @property
    def saved_epoch(self) -> int:
        """The epoch whose weights become the checkpoint: the last, or the first of the highest validation accuracy."""
        if self.rule == "last":
            return self.epochs[-1].epoch
        return max(self.epochs, key=lambda epoch: epoch.val_accuracy).epoch

    @property
    def seconds(self) -> float:
        """How long the training has taken, in all processes that worked on it one after the other."""
        return time.perf_counter() - self.began

    def add(self, epoch: Epoch, network: nn.Module) -> None:
        """Record an epoch, while the network has its weights and the gradients of its last step."""
        self.epochs.append(epoch)
        self.recorder.add("gradient", "parameter")
        if self.rule == "best" and self.saved_epoch == epoch.epoch:
            self.best = {name: tensor.clone() for name, tensor in network.state_dict().items()}

    def checkpoint(self, network: nn.Module) -> dict[str, Tensor]:
        """The state dict of `saved_epoch`, at the end of the training of this network."""
        return self.best or network.state_dict()


def table(epochs: list[Epoch]) -> pd.DataFrame:
    """history.csv: a row for each epoch."""
    return pd.DataFrame([epoch.model_dump() for epoch in epochs], columns=list(COLUMNS))


def log_line(model: str, epoch: Epoch, epochs: int) -> str:
    """A line of epochs.log; `model` is its variant and task, `epochs` the number of all."""
    return (
        f"[{model}] Epoch {epoch.epoch}/{epochs} | "
        f"Train Loss: {epoch.train_loss:.4f}, Acc: {epoch.train_accuracy:.4f} | "
        f"Val Loss: {epoch.val_loss:.4f}, Acc: {epoch.val_accuracy:.4f}"
    )
