import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from stages.errors import StudyError
from stages.params import Architecture, Pretrain, Round, read
from stages.training import imagenet, networks
from stages.training.loop import fabric_for
from stages.training.pictures import Packed
from stages.training.pretraining import UNKNOWN, Labels, fold, joint_loss, pretrain


def people(count: int = 4, each: int = 6) -> Packed:
    """People told apart by their brightness, with two expressions."""
    person = np.repeat(np.arange(count), each)
    noise = np.random.default_rng(0).integers(0, 20, (len(person), 32, 32, 3))
    images = (noise + 50 * person[:, None, None, None]).astype(np.uint8)
    emotions = ["happy" if place % 2 else "sad" for place in range(len(person))]
    index = pd.DataFrame({"file": [str(place) for place in range(len(person))], "person": person.astype(str)})
    return Packed(images, index.assign(emotion=emotions))


def settings() -> tuple[Pretrain, Architecture]:
    pretraining, architecture = read("weights.pretrain", "weights.architectures.vgg16")
    return (
        pretraining.model_copy(update={"batch_size": 8}),
        architecture.model_copy(update={"rounds": [Round(size=32, epochs=1)]}),
    )


def test_folding_the_normalisation_changes_no_output() -> None:
    network = networks.build("vgg16_bn", "original", 2, 0)
    network(torch.rand(8, 3, 32, 32))  # moves the running statistics away from their start
    network.eval()
    picture = torch.rand(2, 3, 32, 32)
    before = network(picture)
    torch.testing.assert_close(fold(network)(picture), before, atol=1e-5, rtol=1e-5)


def test_pretrained_twin_fits_plain_vgg16_and_repeats() -> None:
    told: list[str] = []
    state, _ = pretrain(fabric_for("32-true"), "vgg16", people(), *settings(), seed=0, report=told.append)
    again, _ = pretrain(fabric_for("32-true"), "vgg16", people(), *settings(), seed=0, report=told.append)
    assert all(torch.equal(value, again[name]) for name, value in state.items())
    network = networks.build("vgg16", "pooled", 2, 1)
    networks.load(network, state, "pooled")
    assert torch.equal(network.features[0].weight, state["features.0.weight"])  # type: ignore[index, union-attr]
    assert told[0].startswith("[vgg16_bn] Epoch 1/1 at 32 px")


def test_people_with_one_picture_and_empty_cells_are_not_told_apart() -> None:
    index = pd.DataFrame({"person": ["anna", "anna", "ben", ""], "emotion": ["sad", "", "sad", "happy"]})
    labels = Labels.of(index)
    assert labels.person.tolist() == [0, 0, UNKNOWN, UNKNOWN]
    assert labels.emotion.tolist() == [0, UNKNOWN, 0, UNKNOWN]


def test_telling_many_people_apart_does_not_drown_the_expression() -> None:
    person, emotion = torch.zeros(2, 800, requires_grad=True), torch.zeros(2, 2, requires_grad=True)
    labels = Labels(torch.tensor([0, 799, UNKNOWN]), torch.tensor([0, 1, UNKNOWN]))
    loss = joint_loss((person, emotion), labels, torch.tensor([0, 1]))
    by_person, by_emotion = torch.autograd.grad(loss, (person, emotion))
    assert loss.item() == pytest.approx(2)
    assert by_person.norm() < by_emotion.norm()
    assert joint_loss((person, emotion), labels, torch.tensor([2, 2])).item() == 0


def test_nothing_to_tell_apart_is_refused() -> None:
    with pytest.raises(StudyError, match="two people"):
        pretrain(fabric_for("32-true"), "resnet18", people(count=1, each=1), *settings(), seed=0)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A server on loopback that gives out a folder."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(tmp_path))  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_weights_are_fetched_and_their_hash_is_held_against_the_name(server: str, tmp_path: Path) -> None:
    torch.save({"fc.weight": torch.ones(2)}, tmp_path / "weights.pth")
    digits = hashlib.sha256((tmp_path / "weights.pth").read_bytes()).hexdigest()[:8]
    (tmp_path / f"net-{digits}.pth").write_bytes((tmp_path / "weights.pth").read_bytes())
    (tmp_path / "net-00000000.pth").write_bytes((tmp_path / "weights.pth").read_bytes())
    assert imagenet.fetch(f"{server}/net-{digits}.pth")["fc.weight"].tolist() == [1, 1]
    with pytest.raises(StudyError, match="pretrain"):
        imagenet.fetch(f"{server}/net-00000000.pth")
    with pytest.raises(StudyError, match="pretrain"):
        imagenet.fetch(f"{server}/absent-{digits}.pth")


def test_without_a_server_there_is_one_clear_error() -> None:
    with pytest.raises(StudyError, match="without network"):
        imagenet.fetch("http://127.0.0.1:9/net-00000000.pth")
    with pytest.raises(StudyError, match="IMAGENET1K_V1"):
        imagenet.download("resnet18", "IMAGENET9K")
