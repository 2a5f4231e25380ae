from functools import partial

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision
from torch import nn
from torch._inductor.cpp_builder import cpp_compiler_search

from facestudy.errors import StudyError
from facestudy.models import networks
from facestudy.models.device import fabric_for
from facestudy.models.order import batch_rows
from facestudy.models.pictures import LAYOUTS, Batches, Pictures
from facestudy.models.prediction import predict
from facestudy.models.tensors import contiguous_views
from facestudy.project.parameters import load
from facestudy.project.sections import Recipe
from facestudy.training.frozen_features import Features, cut
from facestudy.training.history import Epoch
from facestudy.training.loop import Training, balanced
from facestudy.training.optimizers import optimizer_for
from facestudy.training.schedule import learning_rate
from tests.meta_device import META, EndedError, MetaFabric

FLIP = load().variants["vgg16"].augmentation


def recipe(**changes: object) -> Recipe:
    return (
        load()
        .variants["resnet18_scratch"]
        .recipe()
        .model_copy(update={"batch_size": 8, "precision": "32-true", **changes})
    )


def pictures(count: int, seed: int, augmented: bool = False, size: int = 32) -> Pictures:
    """Dark against bright pictures: easy to tell apart."""
    labels = torch.arange(count) % 2
    noise = np.random.default_rng(seed).integers(0, 100, (count, size, size, 3))
    images = (noise + labels.numpy()[:, None, None, None] * 120).astype(np.uint8)
    return Pictures(images, labels, augmentation=FLIP if augmented else None, seed=0)


def run(settings: Recipe, epochs: int = 2, seed: int = 0) -> tuple[list[Epoch], torch.nn.Module]:
    network = networks.build("resnet18", "original", 2, seed)
    fabric = fabric_for(settings.precision)
    training = Training(fabric, network, settings)
    history = list(training.epochs(pictures(25, 1, True), pictures(10, 2), epochs, 2, seed))
    return history, network


def test_training_learns_and_the_history_is_of_the_network_as_it_stands() -> None:
    history, network = run(recipe(), epochs=4)
    assert [epoch.epoch for epoch in history] == [1, 2, 3, 4]
    assert history[-1].train_loss < history[0].train_loss
    logits = predict(fabric_for("32-true"), network, pictures(10, 2))
    correct = (logits.argmax(dim=1) == pictures(10, 2).labels).sum().item()
    assert history[-1].val_accuracy == correct / 10


def test_the_gradients_norm_is_the_mean_of_every_eighth_step() -> None:
    network, norms = networks.build("resnet18", "original", 2, 0), []

    def record_norm() -> None:
        flat = [parameter.grad.flatten() for parameter in network.parameters() if parameter.grad is not None]
        norms.append(torch.cat(flat).double().norm().item())

    training = Training(fabric_for("32-true"), network, recipe(batch_size=2))
    (epoch,) = training.epochs(pictures(25, 1), pictures(10, 2), 1, 2, 0, advance=record_norm)
    assert len(norms) == len(set(norms)) == 12
    assert epoch.gradient_norm == pytest.approx((norms[0] + norms[8]) / 2, rel=1e-5)


class Scaled(Fabric):
    """As on a GPU with precision 16-mixed: a loss that is scaled, here for a CPU and by a factor of one's own."""

    def __init__(self, scale: float) -> None:
        scaler = torch.amp.GradScaler("cpu", init_scale=scale)
        super().__init__(accelerator="cpu", devices=1, plugins=[MixedPrecision("16-mixed", "cpu", scaler)])


def norm_of(fabric: Fabric) -> float | None:
    """The gradient norm of an epoch of a small network."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 2))
    training = Training(fabric, network, recipe(batch_size=2, lr=1e-6))
    (epoch,) = training.epochs(pictures(25, 1), pictures(10, 2), 1, 2, 0)
    return epoch.gradient_norm


def test_the_norm_is_of_gradients_without_the_scale_of_the_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDY_PLAIN", "views")  # of a CPU's optimiser alone
    expected = norm_of(fabric_for("32-true"))
    assert norm_of(Scaled(1024.0)) == pytest.approx(expected, rel=0.02)
    # The first steps overflow and are left out; every eighth is measured.
    assert norm_of(Scaled(2.0**20)) == pytest.approx(expected, rel=0.5)
    assert norm_of(Scaled(2.0**60)) is None


@pytest.mark.parametrize(
    ("memory", "weights", "cached"),
    [(0, "none", False), (10**12, "none", False), (10**12, "balanced", False), (10**12, "none", True)],
    ids=["streamed", "resident", "balanced", "frozen features"],
)
def test_no_step_waits_for_the_device(memory: int, weights: str, cached: bool) -> None:
    settings, fabric = recipe(class_weights=weights), MetaFabric()
    changes = FLIP if cached else settings.augmentation
    network = networks.build("resnet18", "original", 2, 0).to(META)
    train = Pictures(np.zeros((40, 32, 32, 3), np.uint8), torch.arange(40) % 2, META, changes, memory=memory)
    data: Batches = train
    if cached:
        networks.freeze(network, ["layer4", "fc"])
        parts = cut(network)
        assert parts is not None
        network, data = parts[1], Features(fabric, parts[0], train, memory)
    with fabric.crossings, pytest.raises(EndedError):
        list(Training(fabric, network, settings).epochs(data, data, 1, 2, 0))
    assert fabric.crossings.seen == []


def test_the_same_seed_gives_the_same_bits_and_another_others() -> None:
    first, one = run(recipe())
    again, two = run(recipe())
    other, three = run(recipe(), seed=1)
    assert first == again and first != other
    assert all(torch.equal(value, two.state_dict()[name]) for name, value in one.state_dict().items())
    assert not torch.equal(one.state_dict()["fc.weight"], three.state_dict()["fc.weight"])


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_steps_over_views_change_the_parameters_as_the_optimizers_own_do(optimizer: str, layout: str) -> None:
    settings = recipe(optimizer=optimizer, weight_decay=0.01)
    results = []
    make = partial(optimizer_for, recipe=settings)
    for over_views in (False, True):
        network = networks.build("resnet18", "original", 2, 0, layout)
        parameters = list(network.parameters())
        stepped = contiguous_views(make, parameters, torch.device("cpu")) if over_views else make(parameters)
        generator = torch.Generator().manual_seed(0)
        for _ in range(3):
            for parameter in parameters:
                parameter.grad = torch.empty_like(parameter).normal_(generator=generator)
            stepped.step()
            assert not over_views or all(view.is_contiguous() for view in stepped.param_groups[0]["params"])
        results.append(parameters)
    assert all(torch.equal(one, two) for one, two in zip(*results, strict=True))


def test_weights_that_diverge_in_the_last_step_stop_too() -> None:
    with pytest.raises(StudyError, match=r"the validation loss became nan after epoch 1 \(lr 1e\+30"):
        run(recipe(lr=1e30, optimizer="sgd", batch_size=25), epochs=1)


@pytest.mark.parametrize(("optimizer", "lr"), [("sgd", 1e6), ("adam", 1e30)])
def test_the_settings_of_a_training_that_ends_in_its_last_step_are_named(optimizer: str, lr: float) -> None:
    with pytest.raises(StudyError, match=rf"validation loss became nan.*optimizer {optimizer}.*no checkpoint"):
        run(recipe(lr=lr, optimizer=optimizer, batch_size=25), epochs=1)


def test_a_running_statistic_that_breaks_without_the_loss_stops_too() -> None:
    torch.manual_seed(0)
    large = nn.Linear(3 * 32 * 32, 4)
    nn.init.constant_(large.weight, 1e25)  # whose square is infinite in 32 bits: normalised it is 0, as is its gradient
    network = nn.Sequential(nn.Flatten(), large.requires_grad_(False), nn.BatchNorm1d(4), nn.Linear(4, 2))
    training = Training(fabric_for("32-true"), network, recipe(optimizer="sgd", batch_size=25))
    with pytest.raises(StudyError, match=r"values of 2\.running_var became NaN or infinite in epoch 1 .*no checkpoint"):
        list(training.epochs(pictures(25, 1), pictures(10, 2), 1, 2, 0))


def test_a_loss_that_diverges_stops_with_the_step_and_the_settings() -> None:
    with pytest.raises(StudyError, match=r"epoch \d, step \d+ of \d+ \(lr 1e\+30, batch_size 8"):
        run(recipe(lr=1e30, optimizer="sgd"))


def test_learning_rates_follow_the_schedule() -> None:
    assert [learning_rate(recipe(lr=1.0, schedule="constant"), epoch, 3) for epoch in (1, 2, 3)] == [1, 1, 1]
    assert [learning_rate(recipe(lr=1.0, schedule="cosine"), epoch, 2) for epoch in (1, 2)] == [1, pytest.approx(0.5)]
    cosine = [learning_rate(recipe(lr=1.0, schedule="cosine"), epoch, 4) for epoch in range(1, 5)]
    warm = [learning_rate(recipe(lr=1.0, schedule="warmup_cosine"), epoch, 4) for epoch in range(1, 5)]
    assert warm == pytest.approx([cosine[0] / 3, cosine[1] * 2 / 3, *cosine[2:]])


def test_balanced_weights_make_each_class_count_alike() -> None:
    labels = torch.tensor([0, 0, 0, 1])
    weights = balanced(labels, 2)
    assert weights[0] * 3 == pytest.approx(weights[1].item())
    assert weights[labels].mean() == pytest.approx(1)


def test_no_batch_holds_a_single_picture() -> None:
    assert [len(batch) for batch in batch_rows(torch.arange(17), 8)] == [8, 9]
    assert [len(batch) for batch in batch_rows(torch.arange(18), 8)] == [8, 8, 2]


def test_a_compiled_network_trains_as_the_plain_one(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = []
    monkeypatch.setattr("torch._inductor.config.deterministic", False)
    for compiles in (True, False):
        torch.manual_seed(0)
        network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 2))
        settings = recipe(compile=compiles)
        training = Training(fabric_for("32-true"), network, settings)
        assert torch._inductor.config.deterministic  # before anything is compiled
        history = list(training.epochs(pictures(24, 1), pictures(8, 2), 2, 2, 0))
        assert len(history) == 2
        weights.append(network[1].weight)
    torch.testing.assert_close(weights[0], weights[1])


def test_compiling_without_a_compiler_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", ("no-such-compiler",))
    cpp_compiler_search.cache_clear()
    with pytest.raises(StudyError, match="compile: true needs a C"):
        run(recipe(compile=True))
    cpp_compiler_search.cache_clear()


@pytest.mark.parametrize("layout", ["channels_last", "contiguous"])
def test_the_layout_reaches_network_and_pictures(layout: str) -> None:
    network = networks.build("resnet18", "original", 2, 0, layout)
    images = np.zeros((2, 8, 8, 3), np.uint8)
    batch = Pictures(images, torch.zeros(2), layout=layout).batch(torch.arange(2), None)
    for tensor in (network.layer1[0].conv1.weight, batch):  # type: ignore[index, union-attr]
        assert tensor.is_contiguous(memory_format=LAYOUTS[layout])


def test_new_tensors_are_not_filled_before_they_are_written() -> None:
    """Torch's deterministic mode would write NaN into each first, which costs a step up to a twentieth."""
    fabric_for("32-true")
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.empty(100_000).isnan().all()
