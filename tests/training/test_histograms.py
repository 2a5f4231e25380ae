import math

import torch

from facestudy.models import networks
from facestudy.training.histograms import Recorder, histograms
from tests.meta_device import Readings


def histogram(values: torch.Tensor, bins: int) -> tuple[torch.Tensor, torch.Tensor]:
    counts, edges = histograms([values], bins)
    return counts[0], edges[0]


def test_histograms_count_every_value_over_their_range() -> None:
    counts, edges = histogram(torch.tensor([0.0, 0.0, 1.0, 4.0]), bins=4)
    assert counts.tolist() == [2, 1, 0, 1] and edges.tolist() == [0, 1, 2, 3, 4]
    counts, _ = histogram(torch.zeros(7), bins=3)
    assert counts.sum() == 7
    for values in ([1.0, float("nan"), 2.0, float("-inf")], [float("inf")]):
        counts, edges = histogram(torch.tensor(values), bins=4)
        assert edges.isfinite().all() and counts.sum() == max(1, sum(map(math.isfinite, values)))


def test_of_many_values_an_even_share_is_counted_over_the_range_of_all() -> None:
    values = (torch.arange(2**20) % 64).float().view(64, 64, 16, 16).to(memory_format=torch.channels_last)
    values[5, 6, 7, 8] = 128.0
    counts, edges = histogram(values, bins=129)
    assert edges[0] == 0 and edges[-1] == 128
    assert 2**15 < counts.sum() <= 2**16
    share = counts[:64] / counts.sum()
    assert (share - 1 / 64).abs().max() < 0.1 / 64


def test_the_recorder_keeps_what_learns_epoch_by_epoch() -> None:
    network = torch.nn.Linear(3, 2)
    network.bias.requires_grad = False
    recorder = Recorder(network, bins=5)
    network(torch.rand(1, 3)).sum().backward()
    recorder.add("gradient")
    recorder.add("parameter")
    assert set(recorder.of_epoch(1)) == {"gradients/weight", "parameters/weight"}
    shapes = {name: tuple(tensor.shape) for name, tensor in recorder.tensors().items()}
    assert shapes["gradient_counts"] == (1, 1, 5) and shapes["parameter_edges"] == (2, 1, 6)


def test_the_values_of_all_parameters_are_read_together() -> None:
    network = torch.nn.Sequential(*(torch.nn.Linear(3, 3) for _ in range(10)))
    recorder = Recorder(network, bins=5)
    network(torch.rand(1, 3)).sum().backward()
    with Readings() as readings:
        recorder.add("gradient", "parameter")
        assert networks.not_finite(network.state_dict()) is None
    assert readings.count == 0
    alone = Recorder(network, bins=5)
    alone.add("gradient")
    for name, tensor in recorder.of_epoch(1).items():
        if name.startswith("gradients"):
            assert all(torch.equal(one, two) for one, two in zip(tensor, _of(alone, name), strict=True))


def _of(recorder: Recorder, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    column = list(recorder.parameters).index(name.removeprefix("gradients/"))
    tensors = recorder.tensors()
    return tensors["gradient_counts"][0, column], tensors["gradient_edges"][0, column]
