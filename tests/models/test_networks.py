import pytest
import torch
from torch import nn
from torchvision import models

from facestudy.errors import StudyError
from facestudy.models import networks


def test_heads_give_our_classes_and_seeds_fix_the_weights() -> None:
    picture = torch.rand(2, 3, 32, 32)
    for arch, head in (("vgg16", "pooled"), ("resnet18", "original"), ("resnet18", "pooled")):
        network = networks.build(arch, head, 5, seed=1).eval()
        assert network(picture).shape == (2, 5)
    again = networks.build("resnet18", "pooled", 5, seed=1).eval()
    assert torch.equal(network(picture), again(picture))
    assert not torch.equal(network(picture), networks.build("resnet18", "pooled", 5, seed=2).eval()(picture))


def test_a_vision_transformer_is_built_for_the_size_of_the_pictures() -> None:
    for head in ("original", "pooled"):
        network = networks.build("vit_b_16", head, 3, 0, size=32).eval()
        assert network(torch.rand(2, 3, 32, 32)).shape == (2, 3)


@pytest.mark.parametrize(
    ("arch", "size", "larger"),
    [("alexnet", 32, 63), ("inception_v3", 64, 75), ("maxvit_t", 64, 221), ("vit_b_16", 40, 48)],
)
def test_a_size_of_no_use_is_refused_with_the_next_that_does(arch: str, size: int, larger: int) -> None:
    told = rf"preprocess\.size: {arch} does not take pictures of {size} pixels \(.*; the next size .* is {larger}$"
    for head in ("original", "pooled"):
        with pytest.raises(StudyError, match=told):
            networks.build(arch, head, 3, 0, size=size)


def test_a_size_is_refused_under_its_own_key_and_where_no_larger_one_does() -> None:
    network = networks.build("alexnet", "original", 2, 0)
    with pytest.raises(StudyError, match=r"rounds: alexnet does not take pictures of 48 pixels .* is 63"):
        networks.require_size(network, "alexnet", 48, "weights.architectures.alexnet.rounds")
    with pytest.raises(StudyError, match="nor any size up to 512"):
        networks.build("vit_h_14", "original", 2, 0, size=510)


@pytest.mark.parametrize(("arch", "size"), [("vgg16", 96), ("resnet18", 64), ("squeezenet1_1", 64), ("swin_t", 64)])
def test_a_grid_keeps_where_things_are(arch: str, size: int) -> None:
    pictures = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    widths = []
    for head in ("pooled", "pooled_2x2"):
        network = networks.build(arch, head, 3, 0, size=size).eval()
        assert network(pictures).shape == (2, 3)
        norm = next(module for module in reversed(list(network.modules())) if isinstance(module, nn.BatchNorm1d))
        widths.append(norm.num_features)
    assert widths[1] == 4 * widths[0]


def test_a_grid_finer_than_the_features_is_refused() -> None:
    with pytest.raises(StudyError, match=r"head: pooled_3x3: VGG has features of 2 x 2 cells at 64 pixels"):
        networks.build("vgg16", "pooled_3x3", 2, 0)
    with pytest.raises(StudyError, match=r"head: pooled_2x2: DenseNet averages by itself; use head: pooled"):
        networks.build("densenet121", "pooled_2x2", 2, 0)


def test_pooled_vgg16_is_small() -> None:
    assert networks.count(networks.build("vgg16", "pooled", 2, 0))["total"] < 15_000_000


def test_the_pooled_head_learns_from_features_of_any_scale() -> None:
    head = networks.build("vgg16", "pooled", 2, 0).get_submodule("classifier")
    features = torch.rand(8, 512)
    logits = []
    for scale in (1, 1000):
        torch.manual_seed(0)  # dropout
        logits.append(head(features * scale))
    torch.testing.assert_close(*logits, rtol=1e-3, atol=1e-3)


def test_load_replaces_everything_but_the_head() -> None:
    source, target = networks.build("resnet18", "original", 9, 1), networks.build("resnet18", "original", 2, 2)
    head = target.state_dict()["fc.weight"].clone()
    networks.load(target, source.state_dict(), "original")
    loaded = target.state_dict()
    assert torch.equal(loaded["layer1.0.conv1.weight"], source.state_dict()["layer1.0.conv1.weight"])
    assert torch.equal(loaded["fc.weight"], head)


def test_weights_that_do_not_fit_are_refused() -> None:
    features = {
        key: value for key, value in networks.build("vgg16", "pooled", 2, 0).state_dict().items() if "features" in key
    }
    with pytest.raises(StudyError, match=r"classifier\.0.*head: pooled"):
        networks.load(networks.build("vgg16", "original", 2, 0), features, "original")
    features["features.0.weight"] = torch.zeros(1)
    with pytest.raises(StudyError, match=r"features\.0\.weight"):
        networks.load(networks.build("vgg16", "pooled", 2, 0), features, "pooled")


def test_weights_of_another_network_are_refused() -> None:
    deeper = networks.build("resnet34", "original", 2, 0).state_dict()
    with pytest.raises(StudyError, match=r"tensors that this network does not have, first 'layer1\.2"):
        networks.load(networks.build("resnet18", "original", 2, 0), deeper, "original")


@pytest.mark.parametrize(("arch", "size"), [("googlenet", 64), ("inception_v3", 96)])
@pytest.mark.parametrize("head", ["original", "pooled"])
def test_weights_with_heads_that_only_their_own_training_used_are_taken(arch: str, size: int, head: str) -> None:
    given = models.get_model(arch, weights=None, init_weights=False).state_dict()
    assert any(name.lower().startswith("aux") for name in given)
    network = networks.build(arch, head, 2, 0, size=size)
    networks.load(network, given, head)
    first = next(iter(network.state_dict()))
    assert torch.equal(network.state_dict()[first], given[first])


def test_freeze_lets_just_the_named_modules_learn() -> None:
    network = networks.build("resnet18", "original", 2, 0)
    networks.freeze(network, ["layer4.1", "fc"])
    learning = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    assert all(name.startswith(("layer4.1.", "fc.")) for name in learning)
    assert "layer4.1.conv1.weight" in learning and "fc.bias" in learning
    assert networks.count(network)["trainable"] < networks.count(network)["total"]
    with pytest.raises(StudyError, match="layer9"):
        networks.freeze(network, ["layer9"])


def test_frozen_batch_statistics_stay_in_training() -> None:
    network = networks.build("resnet18", "original", 2, 0)
    networks.freeze(network, ["layer4", "fc"])
    before = {name: value.clone() for name, value in network.named_buffers()}
    networks.training_mode(network)
    network(torch.rand(4, 3, 32, 32))
    changed = {name for name, value in network.named_buffers() if not torch.equal(value, before[name])}
    assert changed and all(name.startswith("layer4") for name in changed)


def test_an_unknown_architecture_is_named_with_those_known() -> None:
    with pytest.raises(StudyError, match=r"resnet19.*resnet18"):
        networks.build("resnet19", "original", 2, 0)
