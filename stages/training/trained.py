"""A trained network, as its checkpoint left it."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from stages.training import networks


def trained(state: Mapping[str, Tensor], about: Mapping[str, Any], device: torch.device) -> nn.Module:
    """The network of a checkpoint and its metadata, on the device, in evaluation mode."""
    recipe = about["recipe"]
    # The seed draws weights that the state replaces, every one: load_state_dict is strict.
    network = networks.build(recipe["arch"], recipe["head"], len(about["classes"]), 0, recipe["layout"], about["size"])
    network.load_state_dict(state)
    return network.to(device).eval()
