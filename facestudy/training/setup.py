"""What a training starts with: the network, the part of it that runs at each step, and its batches."""

from collections.abc import Mapping
from dataclasses import dataclass

from lightning_fabric import Fabric
from torch import Tensor, nn

from facestudy.models import distributed, networks
from facestudy.models.packed import Packed
from facestudy.models.pictures import Batches, Pictures
from facestudy.project.sections import Recipe
from facestudy.training.frozen_features import Features, cut, finite_views


@dataclass(frozen=True)
class Setup:
    """`network` is the whole, `trained` what of it runs at each step, on the batches of `train` and `validation`."""

    network: nn.Module
    trained: nn.Module
    train: Batches
    validation: Batches


def prepare(
    fabric: Fabric, packed: Packed, classes: list[str], recipe: Recipe, state: Mapping[str, Tensor], seed: int
) -> Setup:
    """Build the network from the weights in `state`, or random ones of the seed where that is empty, and its batches.

    Where the first layers are frozen and a picture has finitely many views, the rest alone runs at each step, on the
    features that the frozen layers return; elsewhere the whole network, on pictures.
    """
    network = networks.build(recipe.arch, recipe.head, len(classes), seed, recipe.layout, packed.size)
    if state:
        networks.load(network, state, recipe.head)
    network = distributed.synchronised(network.to(fabric.device), fabric)
    networks.freeze(network, recipe.trainable)
    rows, labels, _ = packed.part("train", classes)
    train = Pictures(packed.images, labels, fabric.device, recipe.augmentation, seed, rows, recipe.layout)
    rows, labels, _ = packed.part("validation", classes)
    validation = Pictures(packed.images, labels, fabric.device, rows=rows, layout=recipe.layout)
    parts = cut(network)
    if parts is not None and finite_views(train):
        front, rest = parts
        # What is scored is computed in full precision, as `predict` does; what trains, as without the cache.
        scored = Features(fabric, front, validation, full_precision=True)
        return Setup(network, rest, Features(fabric, front, train), scored)
    if parts is not None:
        fabric.print("the frozen layers run at every step: a picture has no finite number of views to compute once")
    return Setup(network, network, train, validation)
