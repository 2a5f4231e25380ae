"""Pretraining of a trunk: to tell people and expressions apart, on faces that no other stage sees.

VGG16 has no normalisation layers and hardly starts to learn from random weights, so its
batch-normalised twin is trained and then folded exactly into plain convolutions
(`torch.nn.utils.fusion.fuse_conv_bn_eval`). That holds for any architecture with a `_bn` twin.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from stages.errors import StudyError
from stages.params import Architecture, Pretrain
from stages.training import networks
from stages.training.loop import EVALUATION_BATCH, batch_rows, in_memory_order
from stages.training.pictures import Packed, Pictures, order

UNKNOWN = -100  # label that cross_entropy leaves out
HELD_OUT_EVERY = 20  # one picture in so many only measures


@dataclass(frozen=True)
class Labels:
    """Who and which expression: indices (N,) int64, UNKNOWN where it is not known or the only one of its kind."""

    person: Tensor
    emotion: Tensor

    @classmethod
    def of(cls, index: pd.DataFrame) -> "Labels":
        """Labels of the index that `pretrain_faces` wrote."""
        return cls(_codes(index["person"]), _codes(index["emotion"]))


def _codes(column: pd.Series) -> Tensor:
    counts = column.value_counts()
    known = sorted(label for label in counts.index if label and counts[label] > 1)
    number = {label: place for place, label in enumerate(known)}
    return torch.tensor([number.get(label, UNKNOWN) for label in column], dtype=torch.int64)


class TwoHeads(nn.Module):
    """A trunk with one linear layer for the person and one for the expression."""

    def __init__(self, trunk: nn.Module, features: int, people: int, emotions: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.person = nn.Linear(features, people)
        self.emotion = nn.Linear(features, emotions)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, people) and (B, emotions) of (B, 3, H, W)."""
        features = self.trunk(pictures).flatten(1)
        return self.person(features), self.emotion(features)


def pretrain(
    fabric: Fabric,
    arch: str,
    packed: Packed,
    settings: Pretrain,
    architecture: Architecture,
    seed: int,
    report: Callable[[str], None] = print,
) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Train the trunk; its state dict, without any head, and the accuracies on pictures held out.

    Raises StudyError when there is nothing to tell apart, or the loss becomes NaN or infinite.
    """
    labels = Labels.of(packed.index)
    if int(labels.person.max()) < 1 and int(labels.emotion.max()) < 1:
        raise StudyError("pretraining needs two people, or two emotions, with two pictures each; there are fewer")
    rows = torch.arange(len(packed.index))
    held_out = order(seed, 0, len(rows)) % HELD_OUT_EVERY == 0
    everything = Pictures(packed.images, rows, fabric.device, settings.augmentation, seed)

    twin = f"{arch}_bn" if f"{arch}_bn" in networks.architectures() else arch
    trunk = networks.build(twin, "original", 2, seed, size=packed.size)
    _, features = networks.pool(trunk, packed.size)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = TwoHeads(trunk, features, max(2, int(labels.person.max()) + 1), max(2, int(labels.emotion.max()) + 1))
    make = partial(torch.optim.AdamW, lr=settings.lr, weight_decay=settings.weight_decay, fused=True)
    model, optimizer = fabric.setup(network, in_memory_order(make, list(network.parameters()), fabric.device))
    train_rows = rows[~held_out]
    per_epoch = len(batch_rows(train_rows, settings.batch_size))
    rounds = [stretch for stretch in architecture.rounds for _ in range(stretch.epochs)]
    for epoch, stretch in enumerate(rounds, start=1):
        if epoch == 1 or stretch is not rounds[epoch - 2]:
            # One cycle a round: a rate that rises first lets a large one start safely (Smith & Topin, 2018), and a
            # new picture size is learnt at a large rate; under the end of a single cycle it was hardly learnt.
            schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.lr, stretch.epochs * per_epoch)
        torch.manual_seed((seed * 100_003 + epoch) % 2**31)
        model.train()
        losses = []
        for batch in batch_rows(train_rows[order(seed, epoch, len(train_rows))], settings.batch_size):
            network.zero_grad()
            logits = model(resize(everything.batch(batch, epoch), stretch.size))
            loss = joint_loss(logits, labels, batch, settings.person_weight)
            fabric.backward(loss)
            optimizer.step()
            schedule.step()
            losses.append(loss.detach())
        mean = float(torch.stack(losses).mean())
        if not np.isfinite(mean):
            raise StudyError(
                f"the pretraining loss of {arch} became {mean} in epoch {epoch}; lower weights.pretrain.lr"
            )
        found = _accuracy(model, everything, labels, rows[held_out], stretch.size)
        told = ", ".join(f"{kind} {share:.1%}" for kind, share in found.items())
        report(f"[{twin}] Epoch {epoch}/{len(rounds)} at {stretch.size} px | Train Loss: {mean:.4f} | held out: {told}")
    trunk.eval()
    return (fold(trunk) if twin != arch else trunk).state_dict(), found


def resize(pictures: Tensor, size: int) -> Tensor:
    """(B, 3, H, W) at another side in pixels."""
    if pictures.shape[-1] == size:
        return pictures
    return F.interpolate(pictures, size=(size, size), mode="bilinear", antialias=True)


def fold(network: nn.Module) -> nn.Module:
    """Fold each batch normalisation into the convolution before it; the names become the plain twin's."""
    layers: list[nn.Module] = []
    for layer in network.features.children():  # type: ignore[union-attr]
        if isinstance(layer, nn.BatchNorm2d):
            layers[-1] = fuse_conv_bn_eval(layers[-1], layer)  # type: ignore[type-var]
        else:
            layers.append(layer)
    network.features = nn.Sequential(*layers)
    return network


def joint_loss(logits: tuple[Tensor, Tensor], labels: Labels, rows: Tensor, person_weight: float = 1.0) -> Tensor:
    """Sum of both cross-entropies over what is known of these rows, each as a share of what guessing costs.

    Logits (B, people) and (B, emotions). Where both are guessed evenly it is `person_weight` + 1, where
    nothing is known 0.

    Unscaled, telling thousands of people apart drowns the expression, and a network without a sign of either
    learns nothing at all (seen: vgg16 on 802 people with three photos each).
    """
    total = logits[0].sum() * 0
    for given, all_truth, weight in zip(logits, (labels.person, labels.emotion), (person_weight, 1), strict=True):
        truth = all_truth[rows].to(given.device)
        if (truth != UNKNOWN).any():
            total = total + weight * F.cross_entropy(given, truth, ignore_index=UNKNOWN) / math.log(given.shape[1])
    return total


@torch.no_grad()
def _accuracy(model: nn.Module, data: Pictures, labels: Labels, rows: Tensor, size: int) -> dict[str, float]:
    """Share of the pictures held out whose person and emotion are told right."""
    model.eval()
    parts = [model(resize(data.batch(part, None), size)) for part in torch.split(rows, EVALUATION_BATCH)]
    found = {}
    for place, (kind, truth) in enumerate((("person", labels.person[rows]), ("emotion", labels.emotion[rows]))):
        right = torch.cat([part[place] for part in parts]).argmax(dim=1).cpu() == truth
        if (truth != UNKNOWN).any():
            found[kind] = right[truth != UNKNOWN].float().mean().item()
    return found
