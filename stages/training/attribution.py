"""Where a network looked: Grad-CAM (Selvaraju et al., 2017) by captum."""

import numpy as np
import torch
from captum.attr import LayerAttribution, LayerGradCam
from numpy.typing import NDArray
from torch import Tensor, nn

LEAST_CELLS = 4  # side of the feature map; a coarser one hardly tells one half of a face from the other


def map_layer(network: nn.Module, pictures: Tensor) -> nn.Module | None:
    """The last layer that gives maps (B, C, H, W) of at least 4 x 4 cells; None where none does."""
    found: list[nn.Module] = []

    def note(module: nn.Module, _: tuple[Tensor, ...], output: object) -> None:
        if isinstance(output, Tensor) and output.dim() == 4 and min(output.shape[2:]) >= LEAST_CELLS:
            found.append(module)

    hooks = [module.register_forward_hook(note) for module in network.modules() if not list(module.children())]
    with torch.no_grad():
        network(pictures[:1])
    for hook in hooks:
        hook.remove()
    return found[-1] if found else None


def heat(network: nn.Module, layer: nn.Module, pictures: Tensor, classes: Tensor) -> NDArray[np.float32]:
    """How much each place spoke for the named class (B,), in 0..1: (B, H, W) for pictures (B, 3, H, W)."""
    for module in network.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False  # what is changed in place afterwards has no gradient to look at
    network.eval()
    found = LayerGradCam(network, layer).attribute(pictures, target=classes, relu_attributions=True)
    wide = LayerAttribution.interpolate(found, pictures.shape[2:], "bilinear")[:, 0].detach().float().cpu().numpy()
    most = wide.max(axis=(1, 2), keepdims=True)
    return np.asarray(wide / np.maximum(most, 1e-12), dtype=np.float32)
