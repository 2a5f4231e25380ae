import pytest
import torch

from stages.training import networks
from stages.training.trained import trained


@pytest.mark.parametrize("arch", ["resnet18", "regnet_y_400mf"])  # the second computes with tensors while it is built
@pytest.mark.parametrize("head", ["original", "pooled"])
def test_a_network_comes_back_as_it_was(arch: str, head: str) -> None:
    network = networks.build(arch, head, 3, 1).eval()
    about = {"recipe": {"arch": arch, "head": head, "layout": "channels_last"}, "classes": ["a", "b", "c"], "size": 64}
    again = trained(network.state_dict(), about, torch.device("cpu"))
    pictures = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    pictures = pictures.contiguous(memory_format=torch.channels_last)
    assert not any(module.training for module in again.modules())
    assert torch.equal(again(pictures), network(pictures))
