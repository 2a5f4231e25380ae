import resource
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn

from facestudy.errors import StudyError
from facestudy.models import networks
from facestudy.models.device import fabric_for
from facestudy.models.pictures import Pictures
from facestudy.training import frozen_features
from facestudy.training.loop import Training
from tests.training.test_loop import FLIP, pictures, recipe


def frozen(arch: str, head: str, trainable: list[str]) -> nn.Module:
    network = networks.build(arch, head, 2, 0)
    networks.freeze(network, trainable)
    return network


@pytest.mark.parametrize("memory", [None, pytest.param(0, marks=pytest.mark.slow)], ids=["in memory", "in a file"])
@pytest.mark.parametrize(
    ("arch", "head", "trainable"),
    [
        pytest.param("vgg16", "pooled", ["classifier"], marks=pytest.mark.slow),
        ("vgg16", "pooled_2x2", ["features.24", "features.26", "features.28", "classifier"]),  # block 5
        ("resnet18", "original", ["fc"]),
        ("resnet18", "original", ["layer4.1", "fc"]),
    ],
)
def test_the_cache_trains_the_same_layers_as_the_whole_network(
    arch: str, head: str, trainable: list[str], memory: int | None
) -> None:
    trained = []
    fabric = fabric_for("32-true")
    train, validation = pictures(24, 1, True, 64), pictures(10, 2, False, 64)
    for cached in (True, False):
        network = frozen(arch, head, trainable)
        if cached:
            parts = frozen_features.cut(network)
            assert parts is not None
            data = tuple(frozen_features.Features(fabric, parts[0], of, memory) for of in (train, validation))
            assert all(features.views.device.type == "cpu" for features in data)
            history = list(Training(fabric, parts[1], recipe()).epochs(data[0], data[1], 2, 2, 0))
        else:
            history = list(Training(fabric, network, recipe()).epochs(train, validation, 2, 2, 0))
        trained.append((network.state_dict(), history))
    for name, value in trained[0][0].items():
        torch.testing.assert_close(value, trained[1][0][name], atol=1e-5, rtol=0)
    assert trained[0][1][-1].val_accuracy == trained[1][1][-1].val_accuracy


@pytest.mark.parametrize(
    ("arch", "trainable", "width"),
    [
        ("resnet18", ["fc"], (512,)),
        ("resnet18", ["layer4", "fc"], (256, 2, 2)),
        ("resnet18", ["layer3.1.conv2", "fc"], (256, 2, 2)),  # after its block's first half a shortcut passes too
        ("alexnet", ["classifier.6"], (9216,)),  # dropout stands before the last layers: they run each time
        ("mobilenet_v3_small", ["classifier"], (576,)),
        ("efficientnet_b0", ["features.8", "classifier"], (320, 1, 1)),
        ("vit_b_16", ["heads"], (768,)),
    ],
)
def test_the_cut_comes_as_late_as_one_fixed_tensor_passes(arch: str, trainable: list[str], width: tuple[int]) -> None:
    network = frozen(arch, "original", trainable)
    parts = frozen_features.cut(network)
    assert parts is not None
    side = 64 if arch in ("vit_b_16", "alexnet") else 32
    given = torch.rand(2, 3, side, side)
    network.eval()
    received = parts[0].eval()(given)
    assert received.shape == (2, *width)
    torch.testing.assert_close(parts[1].eval()(received), network(given))


def test_nothing_is_cut_where_the_first_layer_learns_or_views_have_no_end() -> None:
    assert frozen_features.cut(frozen("resnet18", "original", ["all"])) is None
    assert frozen_features.cut(frozen("resnet18", "original", ["conv1", "fc"])) is None
    turning = FLIP.model_copy(update={"rotation": 10.0})
    assert frozen_features.finite_views(pictures(2, 0, True))
    assert not frozen_features.finite_views(
        Pictures(np.zeros((1, 8, 8, 3), np.uint8), torch.zeros(1), augmentation=turning)
    )


@pytest.fixture
def files_of_at_most_1_kb() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("files_of_at_most_1_kb")
def test_scratch_space_without_room_is_named() -> None:
    parts = frozen_features.cut(frozen("resnet18", "original", ["fc"]))
    assert parts is not None
    with pytest.raises(StudyError, match="TMPDIR"):
        frozen_features.Features(fabric_for("32-true"), parts[0], pictures(10, 1), memory=0)
