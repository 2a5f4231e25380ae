import numpy as np
import pytest
import torch

from stages.errors import StudyError
from stages.params import Recipe, read_recipe
from stages.training import networks, trunk
from stages.training.loop import Epoch, balanced, batch_rows, fabric_for, fit, learning_rate, predict
from stages.training.pictures import Pictures

FLIP = read_recipe("vgg16").augmentation


def recipe(**changes: object) -> Recipe:
    return read_recipe("resnet18_scratch").model_copy(update={"batch_size": 8, "precision": "32-true", **changes})


def pictures(count: int, seed: int, augmented: bool = False) -> Pictures:
    """Dark against bright pictures: easy to tell apart."""
    labels = torch.arange(count) % 2
    noise = np.random.default_rng(seed).integers(0, 100, (count, 32, 32, 3))
    images = (noise + labels.numpy()[:, None, None, None] * 120).astype(np.uint8)
    return Pictures(images, labels, augmentation=FLIP if augmented else None, seed=0)


def run(settings: Recipe, epochs: int = 2, seed: int = 0) -> tuple[list[Epoch], torch.nn.Module]:
    network = networks.build("resnet18", "original", 2, seed)
    fabric = fabric_for(settings.precision)
    history = list(fit(fabric, network, pictures(25, 1, True), pictures(10, 2), settings, epochs, 2, seed))
    return history, network


def test_training_learns_and_the_history_is_of_the_network_as_it_stands() -> None:
    history, network = run(recipe(), epochs=4)
    assert [epoch.epoch for epoch in history] == [1, 2, 3, 4]
    assert history[-1].train_loss < history[0].train_loss
    logits = predict(network, pictures(10, 2))
    right = (logits.argmax(dim=1) == pictures(10, 2).labels).sum().item()
    assert history[-1].val_accuracy == right / 10
    assert history[-1].gradient_norm > 0


def test_the_same_seed_gives_the_same_bits_and_another_others() -> None:
    first, one = run(recipe())
    again, two = run(recipe())
    other, three = run(recipe(), seed=1)
    assert first == again and first != other
    assert all(torch.equal(value, two.state_dict()[name]) for name, value in one.state_dict().items())
    assert not torch.equal(one.state_dict()["fc.weight"], three.state_dict()["fc.weight"])


def test_a_loss_that_diverges_stops_with_the_step_and_the_settings() -> None:
    with pytest.raises(StudyError, match=r"epoch \d, step \d+ of \d+ \(lr 1e\+30, batch_size 8"):
        run(recipe(lr=1e30, optimizer="sgd"))


def test_learning_rates_follow_the_schedule() -> None:
    assert [learning_rate(recipe(lr=1.0, schedule="constant"), epoch, 3) for epoch in (1, 2, 3)] == [1, 1, 1]
    assert [learning_rate(recipe(lr=1.0, schedule="cosine"), epoch, 2) for epoch in (1, 2)] == [1, pytest.approx(0.5)]


def test_balanced_weights_make_each_class_count_alike() -> None:
    labels = torch.tensor([0, 0, 0, 1])
    weights = balanced(labels, 2)
    assert weights[0] * 3 == pytest.approx(weights[1].item())
    assert weights[labels].mean() == pytest.approx(1)


def test_no_batch_holds_a_single_picture() -> None:
    assert [len(batch) for batch in batch_rows(torch.arange(17), 8)] == [8, 9]
    assert [len(batch) for batch in batch_rows(torch.arange(18), 8)] == [8, 8, 2]


@pytest.mark.parametrize("arch", ["vgg16", "resnet18"])
def test_the_trunk_cache_trains_the_same_head_as_the_whole_network(arch: str) -> None:
    heads = []
    for cached in (True, False):
        network = networks.build(arch, "pooled", 2, 0)
        networks.freeze(network, [list(dict(network.named_children()))[-1]])
        head = trunk.head_alone(network)
        assert head is not None
        train, validation, fabric = pictures(24, 1, True), pictures(10, 2), fabric_for("32-true")
        if cached:
            parts = trunk.Features(network, train), trunk.Features(network, validation)
            history = list(fit(fabric, head, *parts, recipe(), 2, 2, 0))
        else:
            history = list(fit(fabric, network, train, validation, recipe(), 2, 2, 0))
        heads.append((head.state_dict(), history))
    for name, value in heads[0][0].items():
        torch.testing.assert_close(value, heads[1][0][name], atol=1e-5, rtol=0)
    assert heads[0][1][-1].val_accuracy == heads[1][1][-1].val_accuracy


def test_the_trunk_is_cached_only_where_it_is_frozen_and_views_are_finite() -> None:
    network = networks.build("resnet18", "original", 2, 0)
    assert trunk.head_alone(network) is None
    networks.freeze(network, ["fc"])
    assert trunk.head_alone(network) is network.fc
    turning = FLIP.model_copy(update={"rotation": 10.0})
    assert trunk.finite_views(pictures(2, 0, True))
    assert not trunk.finite_views(Pictures(np.zeros((1, 8, 8, 3), np.uint8), torch.zeros(1), augmentation=turning))
