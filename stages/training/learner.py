"""What a training starts with: the network, the part of it that runs at each step, and its batches."""

from collections.abc import Mapping

from lightning_fabric import Fabric
from torch import Tensor, nn

from stages.params import Recipe
from stages.training import networks, trunk
from stages.training.pictures import Batches, Packed, Pictures


def prepare(
    fabric: Fabric, packed: Packed, classes: list[str], recipe: Recipe, state: Mapping[str, Tensor], seed: int
) -> tuple[nn.Module, nn.Module, Batches, Batches]:
    """The network, what of it runs at each step, and the training and validation batches for that.

    The network starts from `state`, or from the seed's random weights where that is empty. Where only
    its head learns from finitely many views of each picture, the head alone runs, on the frozen trunk's
    features; elsewhere the whole network, on pictures.
    """
    network = networks.build(recipe.arch, recipe.head, len(classes), seed)
    if state:
        networks.load(network, state, recipe.head)
    networks.freeze(network, recipe.trainable)
    network.to(fabric.device)
    images, labels, _ = packed.part("train", classes)
    train = Pictures(images, labels, fabric.device, recipe.augmentation, seed)
    images, labels, _ = packed.part("validation", classes)
    validation = Pictures(images, labels, fabric.device)
    head = trunk.head_alone(network)
    if head is None:
        return network, network, train, validation
    if not trunk.finite_views(train):
        print("the frozen layers run at every step: this augmentation has no finite number of views to keep")
        return network, network, train, validation
    with fabric.autocast():
        return network, head, trunk.Features(network, train), trunk.Features(network, validation)
