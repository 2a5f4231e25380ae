"""Where a network looked: Grad-CAM (Selvaraju et al., 2017) by captum."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from captum.attr import LayerAttribution, LayerGradCam
from numpy.typing import NDArray
from torch import Tensor, nn

MIN_CELLS = 4  # side of the feature map; a coarser one hardly separates one half of a face from the other


def map_layer(network: nn.Module, pictures: Tensor) -> nn.Module | None:
    """The last layer that gives maps (B, C, H, W) of at least 4 x 4 cells; None where none does."""
    layers: list[nn.Module] = []

    def note(module: nn.Module, _: tuple[Tensor, ...], output: object) -> None:
        if isinstance(output, Tensor) and output.dim() == 4 and min(output.shape[2:]) >= MIN_CELLS:
            layers.append(module)

    hooks = [module.register_forward_hook(note) for module in network.modules() if not list(module.children())]
    with torch.no_grad():
        network(pictures[:1])
    for hook in hooks:
        hook.remove()
    return layers[-1] if layers else None


def heat(network: nn.Module, layer: nn.Module, pictures: Tensor, classes: Tensor) -> NDArray[np.float32]:
    """How much each pixel spoke for the given class (B,), in 0..1: (B, H, W) for pictures (B, 3, H, W).

    On a CPU it is the same to the last bit on any number of threads.
    """
    for module in network.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False  # what is changed in place afterwards has no gradient to look at
    network.eval()
    with _one_thread():
        maps = LayerGradCam(network, layer).attribute(pictures, target=classes, relu_attributions=True)
    wide = LayerAttribution.interpolate(maps, pictures.shape[2:], "bilinear")[:, 0].detach().float().cpu().numpy()
    largest = wide.max(axis=(1, 2), keepdims=True)
    return np.asarray(wide / np.maximum(largest, 1e-12), dtype=np.float32)


@contextmanager
def _one_thread() -> Iterator[None]:
    """How sums are rounded depends on the number of threads at some sizes of a batch, as of five pictures of VGG16."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
