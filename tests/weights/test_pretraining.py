import numpy as np
import pandas as pd
import pytest
import torch

from facestudy.errors import StudyError
from facestudy.models import networks
from facestudy.models.device import fabric_for
from facestudy.models.packed import Packed
from facestudy.project import parameters
from facestudy.project.sections import Round
from facestudy.weights.pretraining import UNKNOWN, fold, held_out_of, joint_loss, labels_of, pretrain, verification
from tests.meta_device import EndedError, MetaFabric


def people(count: int = 4, each: int = 6) -> Packed:
    """People told apart by their brightness, with two expressions."""
    person = np.repeat(np.arange(count), each)
    noise = np.random.default_rng(0).integers(0, 20, (len(person), 32, 32, 3))
    images = (noise + 50 * (person % 5)[:, None, None, None]).astype(np.uint8)
    emotions = ["happy" if number % 2 else "sad" for number in range(len(person))]
    index = pd.DataFrame({"file": [str(number) for number in range(len(person))], "person": person.astype(str)})
    return Packed(images, index.assign(emotion=emotions))


def pretrained(arch: str, packed: Packed) -> dict[str, torch.Tensor]:
    settings = parameters.load().weights.pretrain.model_copy(update={"batch_size": 8})
    return pretrain(fabric_for("32-true"), arch, packed, settings, [Round(size=32, epochs=1)], seed=0)[0]


def test_folding_the_normalisation_changes_no_output() -> None:
    network = networks.build("vgg16_bn", "original", 2, 0)
    network(torch.rand(8, 3, 32, 32))  # moves the running statistics away from their start
    network.eval()
    picture = torch.rand(2, 3, 32, 32)
    before = network(picture)
    torch.testing.assert_close(fold(network)(picture), before, atol=1e-5, rtol=1e-5)


@pytest.mark.slow
def test_pretrained_twin_fits_plain_vgg16_and_repeats(capsys: pytest.CaptureFixture[str]) -> None:
    state, again = (pretrained("vgg16", people()) for _ in range(2))
    assert all(torch.equal(value, again[name]) for name, value in state.items())
    network = networks.build("vgg16", "pooled", 2, 1)
    networks.load(network, state, "pooled")
    assert torch.equal(network.features[0].weight, state["features.0.weight"])  # type: ignore[index, union-attr]
    assert "[vgg16_bn] Epoch 1/1 at 32 px" in capsys.readouterr().out


def test_people_with_few_pictures_and_empty_cells_are_not_told_apart() -> None:
    persons = ["anna", "anna", "anna", "ben", "ben", ""]
    labels = labels_of(pd.DataFrame({"person": persons, "emotion": ["sad", "", "sad", "happy", "sad", ""]}))
    assert labels["person"].tolist() == [0, 0, 0, UNKNOWN, UNKNOWN, UNKNOWN]
    assert labels["emotion"].tolist() == [0, UNKNOWN, 0, UNKNOWN, 0, UNKNOWN]


def test_whole_people_are_held_out_and_who_is_not_known_alone() -> None:
    persons = [f"p{number // 4}" for number in range(400)] + [""] * 200
    index = pd.DataFrame({"file": [str(number) for number in range(600)], "person": persons})
    held_out = held_out_of(index, seed=0).numpy()
    assert index.loc[held_out, "person"].value_counts().drop("", errors="ignore").eq(4).all()
    assert 5 <= index.loc[held_out & (index["person"] != ""), "person"].nunique() <= 25
    assert 0 < (held_out & (index["person"] == "")).sum() < 30
    assert not (held_out == held_out_of(index, seed=1).numpy()).all()


def test_verification_is_the_share_of_pairs_in_the_right_order() -> None:
    features = torch.tensor([[1.0, 0.0], [2.0, 0.1], [0.0, 1.0], [0.1, 3.0]])
    assert verification(features, torch.tensor([0, 0, 1, 1])) == 1
    assert verification(features, torch.tensor([0, 1, 0, 1])) == 0.25
    assert verification(features, torch.arange(4)) is None
    assert verification(features, torch.zeros(4)) is None


@pytest.mark.slow
def test_people_of_one_photo_each_are_welcome(capsys: pytest.CaptureFixture[str]) -> None:
    known, strangers = people(60, 6), people(1, 50)
    strangers.index["person"] = [f"stranger {number}" for number in range(50)]
    strangers.index["emotion"] = ""
    packed = Packed(np.concatenate([known.images, strangers.images]), pd.concat([known.index, strangers.index]))
    pretrained("resnet18", packed)
    assert "held out: person " in capsys.readouterr().out


def test_telling_many_people_apart_does_not_drown_the_expression() -> None:
    logits = {"person": torch.zeros(2, 800, requires_grad=True), "emotion": torch.zeros(2, 2, requires_grad=True)}
    loss = joint_loss(logits, {"person": torch.tensor([0, 799]), "emotion": torch.tensor([0, 1])})
    by_person, by_emotion = torch.autograd.grad(loss, (logits["person"], logits["emotion"]))
    assert loss.item() == pytest.approx(2)
    assert by_person.norm() < by_emotion.norm()
    assert joint_loss(logits, {}).item() == 0


def test_no_step_of_a_pretraining_waits_for_the_device() -> None:
    packed, fabric = people(), MetaFabric()
    packed.index["emotion"] = [""] * 20 + ["happy", "happy", "happy", "sad"]  # most batches have no known emotion
    settings = parameters.load().weights.pretrain.model_copy(update={"batch_size": 4})
    with fabric.crossings, pytest.raises(EndedError):
        pretrain(fabric, "resnet18", packed, settings, [Round(size=32, epochs=1)], seed=0)
    assert fabric.crossings.seen == []


def test_a_pretraining_that_diverges_in_its_last_step_is_refused() -> None:
    settings = parameters.load().weights.pretrain.model_copy(update={"batch_size": 64, "lr": 1e30})
    with pytest.raises(
        StudyError, match=r"pretraining of resnet18 diverged: .* in epoch 1; lower weights\.pretrain\.lr"
    ):
        pretrain(fabric_for("32-true"), "resnet18", people(), settings, [Round(size=32, epochs=1)], seed=0)


def test_nothing_to_tell_apart_is_refused() -> None:
    with pytest.raises(StudyError, match="two people"):
        pretrained("resnet18", people(count=1, each=1))
