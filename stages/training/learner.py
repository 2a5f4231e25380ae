"""What a training starts with: the network, the part of it that runs at each step, and its batches."""

from collections.abc import Mapping

from lightning_fabric import Fabric
from torch import Tensor, nn

from stages.params import Recipe
from stages.training import networks, parallel, trunk
from stages.training.pictures import Batches, Packed, Pictures


def prepare(
    fabric: Fabric, packed: Packed, classes: list[str], recipe: Recipe, state: Mapping[str, Tensor], seed: int
) -> tuple[nn.Module, nn.Module, Batches, Batches]:
    """The network, what of it runs at each step, and the training and validation batches for that.

    The network starts from `state`, or from the seed's random weights where that is empty. Where its first
    layers are frozen and a picture has finitely many views, the rest alone runs, on what the frozen layers
    give; elsewhere the whole network, on pictures.
    """
    network = networks.build(recipe.arch, recipe.head, len(classes), seed, recipe.layout, packed.size)
    if state:
        networks.load(network, state, recipe.head)
    network = parallel.shared(network.to(fabric.device), fabric)
    networks.freeze(network, recipe.trainable)
    rows, labels, _ = packed.part("train", classes)
    train = Pictures(packed.images, labels, fabric.device, recipe.augmentation, seed, rows, recipe.layout)
    rows, labels, _ = packed.part("validation", classes)
    validation = Pictures(packed.images, labels, fabric.device, rows=rows, layout=recipe.layout)
    parts = trunk.cut(network)
    if parts is None:
        return network, network, train, validation
    if not trunk.finite_views(train):
        fabric.print("the frozen layers run at every step: this augmentation has no finite number of views to keep")
        return network, network, train, validation
    front, rest = parts
    return network, rest, trunk.Features(fabric, front, train), trunk.Features(fabric, front, validation)
