import numpy as np
import pytest
import torch

from facestudy.figures.distributions import chosen, distributions, quantiles
from facestudy.figures.style import png
from facestudy.training.histograms import histograms
from tests.study_maker import RESNET_NAMES, VGG_NAMES


def test_quantiles_of_a_flat_histogram_are_where_they_must_be() -> None:
    values = quantiles(
        np.array([0.0, 1, 1, 1, 1, 0]), np.array([-3.0, -2, -1, 0, 1, 2, 3]), np.array([0, 0.25, 0.5, 1])
    )
    assert values == pytest.approx([-2, -1, 0, 2])


def test_all_quantiles_of_a_constant_are_its_value() -> None:
    counts, edges = histograms([torch.ones(7)], 64)
    assert (quantiles(counts[0].numpy(), edges[0].numpy()) == 1).all()


def test_an_empty_histogram_has_no_quantiles() -> None:
    assert np.isnan(quantiles(np.zeros(2), np.array([0.0, 1, 2]))).all()


def test_first_and_last_layers_are_among_the_chosen() -> None:
    names = [RESNET_NAMES[index] for index in chosen(RESNET_NAMES)]
    assert len(names) == 8
    assert {"conv1.weight", "bn1.bias", "fc.weight", "fc.bias"} <= set(names)
    assert not any(".bn" in name and name.endswith("weight") for name in names)


def test_a_short_list_is_shown_whole() -> None:
    assert sorted(chosen(VGG_NAMES)) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("centre", "scales", "axis"),
    [(1.0, (0.01, 0.02), "linear"), (0.0, (1.0, 1.5), "linear"), (0.0, (1.0, 1e-3, 1e-3), "symlog")],
)
def test_a_logarithm_is_for_scales_that_change_not_for_values_far_from_0(
    centre: float, scales: tuple[float, ...], axis: str
) -> None:
    edges = np.stack([[np.linspace(centre - scale, centre + scale, 65)] for scale in scales])
    figure = distributions(np.ones((len(scales), 1, 64)), edges, ["bn1.weight"], 0, "value", "heading")
    assert figure.axes[0].get_yscale() == axis


@pytest.mark.parametrize("edges", [np.zeros((1, 1, 3)), np.full((1, 1, 3), 1e-9) * [-1, 0, 1], np.ones((1, 1, 3))])
def test_one_epoch_of_dead_or_tiny_values_is_drawn(edges: np.ndarray) -> None:
    figure = distributions(np.array([[[3.0, 4.0]]]), edges, ["fc.bias"], 1, "gradient", "heading")
    assert png(figure).startswith(b"\x89PNG")
