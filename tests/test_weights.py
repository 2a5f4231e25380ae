import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch

from stages import paths
from stages.errors import StudyError
from stages.start import start
from stages.training import checkpoints
from stages.weights import weights
from tests.photos import write_params


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def own(**file: Any) -> None:
    write_params(Path(), {"weights.source": "file", "weights.architectures.resnet18.file": file})


def test_the_users_file_is_taken_over_by_its_hash() -> None:
    checkpoints.save(Path("mine.safetensors"), {"conv1.weight": torch.ones(3)}, {})
    own(path="mine.safetensors", sha256=None)
    seen = hashlib.sha256(Path("mine.safetensors").read_bytes()).hexdigest()
    with pytest.raises(StudyError, match=f"sha256: {seen}"):
        weights("resnet18")
    own(path="mine.safetensors", sha256=seen)
    weights("resnet18")
    tensors, about = checkpoints.load(paths.weights("resnet18"))
    assert tensors["conv1.weight"].tolist() == [1, 1, 1] and "mine.safetensors" in about["origin"]
    own(path="absent.safetensors", sha256=seen)
    with pytest.raises(StudyError, match=r"resnet18\.file\.path.*absent"):
        weights("resnet18")


def test_a_pretrained_variant_starts_from_the_weights_and_a_random_one_from_constant_bytes() -> None:
    write_params(Path(), {})
    checkpoints.save(paths.weights("resnet18"), {"conv1.weight": torch.ones(3)}, {"origin": "a test"})
    start("resnet18_pretrained")
    assert paths.start("resnet18_pretrained").read_bytes() == paths.weights("resnet18").read_bytes()
    start("resnet18_scratch")
    before = paths.start("resnet18_scratch").read_bytes()
    checkpoints.save(paths.weights("resnet18"), {"conv1.weight": torch.zeros(3)}, {"origin": "another"})
    start("resnet18_scratch")
    assert paths.start("resnet18_scratch").read_bytes() == before


def test_a_pretrained_start_without_weights_is_refused() -> None:
    write_params(Path(), {})
    checkpoints.save(paths.weights("resnet18"), {}, {"origin": "rounds is empty"})
    with pytest.raises(StudyError, match=r"variants\.resnet18_pretrained\.weights.*rounds"):
        start("resnet18_pretrained")
