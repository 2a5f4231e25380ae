"""What a training starts with, for a network of every family that torchvision has."""

import numpy as np
import pandas as pd
import pytest
import torch
from torchvision import models

from facestudy.models import networks
from facestudy.models.device import fabric_for
from facestudy.models.packed import Packed
from facestudy.models.pictures import Pictures
from facestudy.models.prediction import predict
from facestudy.training.loop import Training
from facestudy.training.setup import Setup, prepare
from tests.training.test_loop import recipe

CLASSES = ["a", "b", "c"]
# A small member of each family, and the side of the pictures.
FAMILIES = {
    "alexnet": 64, "convnext_tiny": 32, "densenet121": 32, "efficientnet_b0": 32, "googlenet": 32, "inception_v3": 75,
    "maxvit_t": 224, "mnasnet0_5": 32, "mobilenet_v2": 32, "mobilenet_v3_small": 32, "regnet_y_400mf": 32,
    "resnet18": 32, "shufflenet_v2_x0_5": 32, "squeezenet1_0": 32, "swin_t": 32, "vgg11": 32, "vit_b_32": 32,
}  # fmt: skip
LARGE = ("maxvit_t", "vgg11", "vit_b_32")


def packed(size: int) -> Packed:
    """Two pictures to train, and two to validate."""
    images = np.random.default_rng(0).integers(0, 256, (4, size, size, 3), dtype=np.uint8)
    split = ["train", "train", "validation", "validation"]
    return Packed(images, pd.DataFrame({"file": list("wxyz"), "label": ["a", "b", "c", "a"], "split": split}))


def test_every_family_of_torchvision_is_there() -> None:
    families = {models.get_model_builder(arch).__module__ for arch in networks.architectures()}
    assert families == {models.get_model_builder(arch).__module__ for arch in FAMILIES}


@pytest.mark.parametrize(("head", "learns"), [("original", "all"), ("pooled", "head")])
@pytest.mark.parametrize("arch", [pytest.param(arch, marks=[pytest.mark.slow] * (arch in LARGE)) for arch in FAMILIES])
def test_a_network_of_each_family_takes_a_step(arch: str, head: str, learns: str) -> None:
    fabric, data = fabric_for("32-true"), packed(FAMILIES[arch])
    pretrained = networks.build(arch, "original", 5, 1, size=data.size)
    given, last = pretrained.state_dict(), list(pretrained.named_children())[-1][0]
    own = recipe(arch=arch, head=head, batch_size=2, trainable=["all" if learns == "all" else last])
    setup = prepare(fabric, data, CLASSES, own, given, 0)
    trunk = {name: tensor.clone() for name, tensor in setup.network.state_dict().items() if not name.startswith(last)}
    assert all(torch.equal(tensor, given[name]) for name, tensor in trunk.items())
    weights = [parameter.clone() for parameter in setup.network.get_submodule(last).parameters()]

    (epoch,) = Training(fabric, setup.trained, own).epochs(setup.train, setup.validation, 1, 3, 0)
    assert np.isfinite(epoch.train_loss)
    after = setup.network.get_submodule(last).parameters()
    assert not all(torch.equal(one, two) for one, two in zip(weights, after, strict=True))
    if learns == "head":
        for name, tensor in trunk.items():
            assert torch.equal(setup.network.state_dict()[name], tensor)
    logits = whole(setup, data)
    assert logits.shape == (2, 3)
    torch.testing.assert_close(logits, predict(fabric, setup.trained, setup.validation))


def whole(setup: Setup, data: Packed) -> torch.Tensor:
    """Logits of the whole network, as it is scored."""
    rows, labels, _ = data.part("validation", CLASSES)
    return predict(fabric_for("32-true"), setup.network, Pictures(data.images, labels, rows=rows))
