import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torchvision import models

from facestudy.errors import StudyError
from facestudy.models import checkpoints
from facestudy.models.metadata import WeightsMetadata
from facestudy.project import paths
from stages.initial_weights import initial_weights
from stages.weights import weights
from tests.inputs import write_params


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def own(**file: Any) -> None:
    write_params(Path(), {"weights.source": "file", "weights.architectures.resnet18.file": file})


def test_the_users_file_is_used_where_its_hash_is_the_stated_one() -> None:
    state = models.get_model("resnet18", weights=None).state_dict()
    save_file(state, "mine.safetensors")
    own(path="mine.safetensors", sha256=None)
    actual = hashlib.sha256(Path("mine.safetensors").read_bytes()).hexdigest()
    with pytest.raises(StudyError, match=f"sha256: {actual}"):
        weights("resnet18")
    own(path="mine.safetensors", sha256=actual)
    weights("resnet18")
    tensors, metadata = checkpoints.load(paths.weights("resnet18"), WeightsMetadata)
    assert isinstance(metadata, WeightsMetadata) and "mine.safetensors" in metadata.origin
    assert torch.equal(tensors["conv1.weight"], state["conv1.weight"])
    own(path="absent.safetensors", sha256=actual)
    with pytest.raises(StudyError, match=r"resnet18\.file\.path.*absent"):
        weights("resnet18")


def test_a_users_file_without_tensors_is_refused() -> None:
    save_file({}, "empty.safetensors")
    own(path="empty.safetensors", sha256=hashlib.sha256(Path("empty.safetensors").read_bytes()).hexdigest())
    with pytest.raises(StudyError, match="holds no tensor"):
        weights("resnet18")


def test_a_pretrained_variant_starts_from_the_weights_and_a_random_one_from_constant_bytes() -> None:
    write_params(Path(), {})
    metadata = WeightsMetadata(arch="resnet18", origin="a test")
    checkpoints.save(paths.weights("resnet18"), {"conv1.weight": torch.ones(3)}, metadata)
    initial_weights("resnet18_pretrained")
    assert paths.initial_weights("resnet18_pretrained").read_bytes() == paths.weights("resnet18").read_bytes()
    initial_weights("resnet18_scratch")
    before = paths.initial_weights("resnet18_scratch").read_bytes()
    checkpoints.save(paths.weights("resnet18"), {"conv1.weight": torch.zeros(3)}, metadata)
    initial_weights("resnet18_scratch")
    assert paths.initial_weights("resnet18_scratch").read_bytes() == before


def test_a_pretrained_variant_of_an_architecture_that_is_not_pretrained_is_refused() -> None:
    write_params(Path(), {"weights.architectures.resnet18.rounds": []})
    weights("resnet18")
    with pytest.raises(StudyError, match=r"variants\.resnet18_pretrained\.weights.*rounds is empty"):
        initial_weights("resnet18_pretrained")
