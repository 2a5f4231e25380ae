"""A trained network, as its checkpoint holds it."""

from collections.abc import Mapping

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from torch import Tensor, nn

from facestudy.models import networks
from facestudy.models.metadata import CheckpointMetadata


def trained(state: Mapping[str, Tensor], metadata: CheckpointMetadata, device: torch.device) -> nn.Module:
    """The network of a checkpoint's state dict and metadata, on the device, in evaluation mode."""
    recipe = metadata.recipe
    # No weight is drawn, for the state replaces every one: `restore` is strict.
    fabric = Fabric(accelerator="cpu", devices=1, plugins=[LightningEnvironment()])  # on a cluster too one process
    with fabric.init_module(empty_init=True):
        network = networks.build(recipe.arch, recipe.head, len(metadata.classes), 0, recipe.layout, metadata.size)
    networks.restore(network, state)
    return network.to(device).eval()
