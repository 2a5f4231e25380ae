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
from sklearn.metrics import roc_auc_score
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
from facestudy.models.transfer import groups_on
from facestudy.project.sections import Pretrain, Round

KINDS = ("person", "emotion")
UNKNOWN = -1  # label that the loss leaves out
MIN_PICTURES = 3  # of a person or an expression that is told apart: with fewer, a network can only learn them by heart
HELD_OUT_EVERY = 20  # one person in so many only measures
MAX_HELD_OUT = 2000  # pictures: all pairs of them are compared


def labels_of(index: pd.DataFrame) -> dict[str, Tensor]:
    """Who and which expression, of the index that `pretrain_faces` wrote: indices (N,) int64 by kind of label.

    UNKNOWN where a label is empty, or has fewer than MIN_PICTURES pictures.
    """
    labels = {}
    for kind in KINDS:
        counts = Counter(index[kind])
        known = sorted(label for label, count in counts.items() if label and count >= MIN_PICTURES)
        codes = {label: code for code, label in enumerate(known)}
        labels[kind] = torch.tensor([codes.get(label, UNKNOWN) for label in index[kind]], dtype=torch.int64)
    return labels


def held_out_of(index: pd.DataFrame, seed: int) -> Tensor:
    """Which pictures only measure, (N,) bool: all those of one person in HELD_OUT_EVERY; up to MAX_HELD_OUT.

    A picture of nobody known is of a person of its own.
    """
    names = index["person"].where(index["person"] != "", "\0" + index["file"])
    codes = torch.from_numpy(pd.factorize(names, sort=True)[0])
    held_out = order(seed, 0, int(codes.max()) + 1)[codes] % HELD_OUT_EVERY == 0
    return held_out & (held_out.cumsum(dim=0) <= MAX_HELD_OUT)


class MultiHead(nn.Module):
    """A trunk with one linear layer for each kind of label."""

    def __init__(self, trunk: nn.Module, features: int, classes: dict[str, int]) -> None:
        super().__init__()
        self.trunk = trunk
        self.heads = nn.ModuleDict({kind: nn.Linear(features, count) for kind, count in classes.items()})

    def forward(self, pictures: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Features (B, F), and logits (B, classes) by kind of label, of (B, 3, H, W)."""
        features = self.trunk(pictures).flatten(1)
        return features, {kind: head(features) for kind, head in self.heads.items()}


def pretrain(
    fabric: Fabric, arch: str, packed: Packed, settings: Pretrain, rounds: list[Round], seed: int
) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Train the trunk; its state dict, without any head, and what it reaches on people held out, 0 to 1.

    That is `emotion`, the accuracy, and `person`, the area under the ROC curve of `verification`, each where it can be
    measured. Prints a line for each epoch. Raises StudyError when there is nothing to tell apart, or the loss becomes
    NaN or infinite, or a weight or feature does.
    """
    labels = labels_of(packed.index)
    classes = {kind: int(codes.max()) + 1 for kind, codes in labels.items()}
    if max(classes.values()) < 2:
        raise StudyError(
            f"pretraining needs two people, or two emotions, with {MIN_PICTURES} pictures each; there are fewer"
        )
    there = {kind: codes.to(fabric.device) for kind, codes in labels.items()}
    rows = torch.arange(len(packed.index))
    held_out = held_out_of(packed.index, seed)
    train_rows, held_out_rows = rows[~held_out], rows[held_out]
    pictures = Pictures(packed.images, rows, fabric.device, settings.augmentation, seed)

    twin = f"{arch}_bn" if f"{arch}_bn" in networks.architectures() else arch
    trunk = networks.build(twin, "original", 2, seed, size=packed.size)
    for each in rounds:
        networks.require_size(trunk, twin, each.size, f"weights.architectures.{arch}.rounds")
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
            batches = batch_rows(train_rows[order(seed, epoch, len(train_rows))], settings.batch_size)
            inputs, on_device = pictures.batches(batches, epoch), groups_on(fabric.device, batches)
            for given, batch, its_rows in zip(inputs, batches, on_device, strict=True):
                network.zero_grad()
                _, logits = model(resize(given, each.size))
                known = [kind for kind in KINDS if (labels[kind][batch] != UNKNOWN).any()]
                truth = {kind: there[kind][its_rows] for kind in known}
                loss = joint_loss(logits, truth, settings.person_weight)
                fabric.backward(loss)
                optimizer.step()
                schedule.step()
                losses.append(loss.detach())
            mean = float(torch.stack(losses).mean())
            if not math.isfinite(mean):
                raise _diverged(arch, f"loss became {mean}", epoch)
            broken = networks.not_finite(network.state_dict())
            if broken is not None:
                raise _diverged(arch, f"values of {broken} became NaN or infinite", epoch)
            found = _reached(model, pictures, labels, held_out_rows, each.size)
            if found is None:
                raise _diverged(arch, "features of people held out became NaN or infinite", epoch)
            reached = found
            measured = ", ".join(f"{kind} {share:.1%}" for kind, share in reached.items())
            print(f"[{twin}] Epoch {epoch}/{last} at {each.size} px | Train Loss: {mean:.4f} | held out: {measured}")
    trunk.eval()
    return (fold(trunk) if twin != arch else trunk).state_dict(), reached


def _diverged(arch: str, what: str, epoch: int) -> StudyError:
    return StudyError(f"pretraining of {arch} diverged: its {what} in epoch {epoch}; lower weights.pretrain.lr")


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


def joint_loss(logits: dict[str, Tensor], truth: dict[str, Tensor], person_weight: float = 1.0) -> Tensor:
    """Sum of both cross-entropies over what is known of a batch, each as a share of what guessing costs.

    Logits (B, classes) by kind of label; labels (B,) by those kinds of which at least one is known. Where both are
    guessed evenly it is `person_weight` + 1, where nothing is known 0.

    Unscaled, telling thousands of people apart drowns the expression, and a network without a sign of either
    learns nothing at all (seen: vgg16 on 802 people with three photos each).
    """
    total = logits["person"].sum() * 0
    for kind, weight in zip(KINDS, (person_weight, 1), strict=True):
        if kind in truth:  # which is known without asking a GPU, that would be waited for
            given, labels = logits[kind], truth[kind]
            total = total + weight * F.cross_entropy(given, labels, ignore_index=UNKNOWN) / math.log(given.shape[1])
    return total


@torch.no_grad()
def _reached(
    model: nn.Module, pictures: Pictures, labels: dict[str, Tensor], rows: Tensor, size: int
) -> dict[str, float] | None:
    """What the model reaches on these rows, of those whose label is known: see `pretrain`. None: not finite."""
    model.eval()
    batches = pictures.batches(torch.split(rows, EVALUATION_BATCH), None)
    parts = [model(resize(batch, size)) for batch in batches]
    reached = {}
    known = labels["person"][rows] != UNKNOWN
    features = torch.cat([features for features, _ in parts]).float().cpu()
    if not features.isfinite().all():
        return None
    area = verification(features[known], labels["person"][rows][known])
    if area is not None:
        reached["person"] = area
    truth = labels["emotion"][rows]
    known = truth != UNKNOWN
    if known.any():
        correct = torch.cat([logits["emotion"] for _, logits in parts]).argmax(dim=1).cpu() == truth
        reached["emotion"] = correct[known].float().mean().item()
    return reached


def verification(features: Tensor, persons: Tensor) -> float | None:
    """How often two pictures (N, F) of one person have more similar features than two of different people, 0 to 1.

    The area under the ROC curve of the cosine of all pairs, for people that the network need not know; 0.5 is chance.
    None without a pair of either kind.
    """
    directions = F.normalize(features, dim=1)
    first, second = torch.triu_indices(len(persons), len(persons), 1)
    same = persons[first] == persons[second]
    if same.all() or not same.any():
        return None
    return float(roc_auc_score(same.numpy(), (directions @ directions.T)[first, second].numpy()))
