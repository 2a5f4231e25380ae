"""A trained network, as its checkpoint left it."""

from collections.abc import Mapping
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from stages.training import networks


def trained(state: Mapping[str, Tensor], about: Mapping[str, Any], device: torch.device) -> nn.Module:
    """The network of a checkpoint and its metadata, on the device, in evaluation mode."""
    recipe, classes, size = about["recipe"], len(about["classes"]), about["size"]
    # No weight is drawn, for the state replaces every one: load_state_dict is strict.
    with Fabric(accelerator="cpu", devices=1).init_module(empty_init=True):
        network = networks.build(recipe["arch"], recipe["head"], classes, 0, recipe["layout"], size)
    network.load_state_dict(state)
    return network.to(device).eval()
