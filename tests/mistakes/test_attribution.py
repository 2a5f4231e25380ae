import numpy as np
import pytest
import torch
from torch import nn

from facestudy.mistakes.attribution import MIN_CELLS, heat, map_layer
from facestudy.models import networks


@pytest.mark.parametrize("arch", ["vgg16", "resnet18"])
def test_the_last_layer_with_enough_cells_is_taken(arch: str) -> None:
    network = networks.build(arch, "pooled" if arch == "vgg16" else "original", 2, 0).eval()
    layer = map_layer(network, torch.rand(1, 3, 64, 64))
    shapes: list[torch.Size] = []
    assert layer is not None
    layer.register_forward_hook(lambda *given: shapes.append(given[2].shape))
    network(torch.rand(1, 3, 64, 64))
    assert min(shapes[0][2:]) == MIN_CELLS


def test_a_network_without_maps_has_none() -> None:
    assert map_layer(nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), torch.rand(1, 3, 2, 2)) is None


def test_heat_lies_where_the_class_comes_from() -> None:
    # One filter that answers to bright places, and a class that counts its answers.
    filters, counts = nn.Conv2d(3, 1, 1), nn.Linear(1, 2)
    network = nn.Sequential(filters, nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(), counts)
    with torch.no_grad():
        filters.weight.fill_(1.0)
        nn.init.constant_(filters.bias, -1.5)  # type: ignore[arg-type]
        counts.weight.copy_(torch.tensor([[-1.0], [1.0]]))
    pictures = torch.zeros(2, 3, 16, 16)
    pictures[:, :, 2:6, 9:13] = 1.0
    layer = map_layer(network, pictures)
    assert layer is not None
    warm = heat(network, layer, pictures, torch.tensor([1, 0]))
    assert warm.shape == (2, 16, 16) and warm[0].max() == 1
    assert warm[0, 2:6, 9:13].min() > 0.9 and warm[0].sum() == pytest.approx(warm[0, 2:6, 9:13].sum())
    assert np.all(warm[1] == 0)  # nothing here speaks for the other class


def test_heat_has_the_same_bytes_on_any_number_of_threads() -> None:
    """`facestudy run` gives the stage one thread, `dvc repro` all of them."""
    network = networks.build("vgg16", "pooled_2x2", 5, 0).eval()
    pictures = torch.rand(5, 3, 64, 64, generator=torch.Generator().manual_seed(0))  # of 3 or 26 they were equal
    layer = map_layer(network, pictures)
    assert layer is not None
    before = torch.get_num_threads()
    warm = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            warm.append(heat(network, layer, pictures, torch.arange(5)))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert warm[0].tobytes() == warm[1].tobytes()
