import pytest
import torch

from facestudy.models import networks
from facestudy.models.metadata import CheckpointMetadata
from facestudy.models.pictures import MEAN, STD
from facestudy.models.trained import trained
from facestudy.project import parameters


@pytest.mark.parametrize("arch", ["resnet18", "regnet_y_400mf"])  # the second computes with tensors while it is built
@pytest.mark.parametrize("head", ["original", "pooled"])
def test_a_network_comes_back_as_it_was(arch: str, head: str) -> None:
    come_back(arch, head)


def come_back(arch: str, head: str) -> None:
    network = networks.build(arch, head, 3, 1).eval()
    recipe = parameters.load().variants["vgg16"].recipe().model_copy(update={"arch": arch, "head": head})
    metadata = CheckpointMetadata(
        task="emotion", variant="vgg16", seed=0, classes=["a", "b", "c"], positive=None, weights="random weights",
        recipe=recipe, epochs=1, rule="last", size=64, mean=MEAN, std=STD, parameters={}, run_id="", kept=1,
    )  # fmt: skip
    again = trained(network.state_dict(), metadata, torch.device("cpu"))
    pictures = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    pictures = pictures.contiguous(memory_format=torch.channels_last)
    assert not any(module.training for module in again.modules())
    assert torch.equal(again(pictures), network(pictures))
