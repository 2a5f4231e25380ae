import pytest
import torch

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
    with pytest.raises(StudyError, match=r"preprocess\.size: vit_b_16 cannot be built for 40 pixels"):
        networks.build("vit_b_16", "original", 3, 0, size=40)


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
