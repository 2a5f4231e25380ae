"""Pretraining of a trunk: to tell people and expressions apart, on faces that no other stage sees.

VGG16 has no normalisation layers and hardly starts to learn from random weights, so its
batch-normalised twin is trained and then folded exactly into plain convolutions
(`torch.nn.utils.fusion.fuse_conv_bn_eval`). That holds for any architecture with a `_bn` twin.
"""

import math
from collections import Counter
from functools import partial
from itertools import islice

import pandas as pd
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from facestudy.errors import StudyError
from facestudy.models import networks
from facestudy.models.order import batch_rows, order
from facestudy.models.packed import Packed
from facestudy.models.pictures import Pictures
from facestudy.models.prediction import EVALUATION_BATCH
from facestudy.models.tensors import contiguous_views
from facestudy.project.sections import Pretrain, Round

KINDS = ("person", "emotion")
UNKNOWN = -1  # label that the loss leaves out
HELD_OUT_EVERY = 20  # one picture in so many only measures


def labels_of(index: pd.DataFrame) -> dict[str, Tensor]:
    """Who and which expression, of the index that `pretrain_faces` wrote: indices (N,) int64 by kind of label.

    UNKNOWN where a label is empty, or the only one of its kind.
    """
    labels = {}
    for kind in KINDS:
        counts = Counter(index[kind])
        known = sorted(label for label, count in counts.items() if label and count > 1)
        codes = {label: code for code, label in enumerate(known)}
        labels[kind] = torch.tensor([codes.get(label, UNKNOWN) for label in index[kind]], dtype=torch.int64)
    return labels


class MultiHead(nn.Module):
    """A trunk with one linear layer for each kind of label."""

    def __init__(self, trunk: nn.Module, features: int, classes: dict[str, int]) -> None:
        super().__init__()
        self.trunk = trunk
        self.heads = nn.ModuleDict({kind: nn.Linear(features, count) for kind, count in classes.items()})

    def forward(self, pictures: Tensor) -> dict[str, Tensor]:
        """Logits (B, classes) by kind of label, of (B, 3, H, W)."""
        features = self.trunk(pictures).flatten(1)
        return {kind: head(features) for kind, head in self.heads.items()}


def pretrain(
    fabric: Fabric, arch: str, packed: Packed, settings: Pretrain, rounds: list[Round], seed: int
) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Train the trunk; its state dict, without any head, and the accuracies on pictures held out, 0 to 1.

    Prints a line for each epoch. Raises StudyError when there is nothing to tell apart, or the loss becomes NaN or
    infinite.
    """
    labels = labels_of(packed.index)
    classes = {kind: int(codes.max()) + 1 for kind, codes in labels.items()}
    if max(classes.values()) < 2:
        raise StudyError("pretraining needs two people, or two emotions, with two pictures each; there are fewer")
    rows = torch.arange(len(packed.index))
    held_out = order(seed, 0, len(rows)) % HELD_OUT_EVERY == 0
    train_rows, held_out_rows = rows[~held_out], rows[held_out]
    pictures = Pictures(packed.images, rows, fabric.device, settings.augmentation, seed)

    twin = f"{arch}_bn" if f"{arch}_bn" in networks.architectures() else arch
    trunk = networks.build(twin, "original", 2, seed, size=packed.size)
    features = networks.remove_head(trunk, packed.size)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = MultiHead(trunk, features, {kind: max(2, count) for kind, count in classes.items()})
    make = partial(torch.optim.AdamW, lr=settings.lr, weight_decay=settings.weight_decay, fused=True)
    model, optimizer = fabric.setup(network, contiguous_views(make, list(network.parameters()), fabric.device))
    steps = len(batch_rows(train_rows, settings.batch_size))
    last = sum(each.epochs for each in rounds)
    epochs = iter(range(1, last + 1))
    for each in rounds:
        # One cycle a round: a rate that rises first lets a large one start safely (Smith & Topin, 2018), and a
        # new picture size is learnt at a large rate; under the end of a single cycle it was hardly learnt.
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.lr, each.epochs * steps)
        for epoch in islice(epochs, each.epochs):
            torch.manual_seed((seed * 100_003 + epoch) % 2**31)
            model.train()
            losses = []
            for batch in batch_rows(train_rows[order(seed, epoch, len(train_rows))], settings.batch_size):
                network.zero_grad()
                logits = model(resize(pictures.batch(batch, epoch), each.size))
                loss = joint_loss(logits, labels, batch, settings.person_weight)
                fabric.backward(loss)
                optimizer.step()
                schedule.step()
                losses.append(loss.detach())
            mean = float(torch.stack(losses).mean())
            if not math.isfinite(mean):
                raise StudyError(
                    f"the pretraining loss of {arch} became {mean} in epoch {epoch}; lower weights.pretrain.lr"
                )
            accuracies = _accuracies(model, pictures, labels, held_out_rows, each.size)
            measured = ", ".join(f"{kind} {share:.1%}" for kind, share in accuracies.items())
            print(f"[{twin}] Epoch {epoch}/{last} at {each.size} px | Train Loss: {mean:.4f} | held out: {measured}")
    trunk.eval()
    return (fold(trunk) if twin != arch else trunk).state_dict(), accuracies


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


def joint_loss(
    logits: dict[str, Tensor], labels: dict[str, Tensor], rows: Tensor, person_weight: float = 1.0
) -> Tensor:
    """Sum of both cross-entropies over what is known of these rows, each as a share of what guessing costs.

    Logits (B, classes) by kind of label. Where both are guessed evenly it is `person_weight` + 1, where
    nothing is known 0.

    Unscaled, telling thousands of people apart drowns the expression, and a network without a sign of either
    learns nothing at all (seen: vgg16 on 802 people with three photos each).
    """
    total = logits["person"].sum() * 0
    for kind, weight in zip(KINDS, (person_weight, 1), strict=True):
        given = logits[kind]
        truth = labels[kind][rows].to(given.device)
        if (truth != UNKNOWN).any():
            total = total + weight * F.cross_entropy(given, truth, ignore_index=UNKNOWN) / math.log(given.shape[1])
    return total


@torch.no_grad()
def _accuracies(
    model: nn.Module, pictures: Pictures, labels: dict[str, Tensor], rows: Tensor, size: int
) -> dict[str, float]:
    """Share of these rows that are predicted correctly, by kind of label, of those whose label is known."""
    model.eval()
    parts = [model(resize(pictures.batch(part, None), size)) for part in torch.split(rows, EVALUATION_BATCH)]
    accuracies = {}
    for kind in KINDS:
        truth = labels[kind][rows]
        known = truth != UNKNOWN
        if known.any():
            correct = torch.cat([part[kind] for part in parts]).argmax(dim=1).cpu() == truth
            accuracies[kind] = correct[known].float().mean().item()
    return accuracies
