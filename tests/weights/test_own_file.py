import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torchvision import models

from facestudy.errors import StudyError
from facestudy.project.sections import OwnFile
from facestudy.weights import own_file


def written(path: Path, state: dict[str, torch.Tensor]) -> OwnFile:
    save_file(state, path)
    return OwnFile(path=str(path), sha256=hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_of_a_training_that_diverged_are_refused_by_name(tmp_path: Path, value: float) -> None:
    file = written(tmp_path / "own.safetensors", {"fc.bias": torch.zeros(2), "fc.weight": torch.full((2, 2), value)})
    with pytest.raises(StudyError, match=r"resnet18\.file\.path: .*own\.safetensors has NaN or infinite .* fc\.weight"):
        own_file.load("resnet18", file)


def test_weights_of_another_architecture_are_refused_by_key_file_and_tensor(tmp_path: Path) -> None:
    file = written(tmp_path / "own.safetensors", models.get_model("squeezenet1_0", weights=None).state_dict())
    fault = (
        r"resnet18\.file\.path: .*own\.safetensors does not fit resnet18: it lacks \d+ tensors, first 'conv1\.weight'"
    )
    with pytest.raises(StudyError, match=fault):
        own_file.load("resnet18", file)
    with pytest.raises(StudyError, match=r"does not fit squeezenet1_1: size mismatch for features\.0\.weight"):
        own_file.load("squeezenet1_1", file)


@pytest.mark.parametrize(
    ("arch", "options", "left_out"),
    [
        ("squeezenet1_1", {"num_classes": 7}, "features.99"),  # a head of other classes
        ("squeezenet1_1", {}, "classifier"),  # no head at all
        ("resnet18", {}, "layer1.0.bn1.num_batches_tracked"),  # as files of older versions of torch
        ("mnasnet0_5", {}, "classifier"),
        ("googlenet", {"init_weights": False}, "fc"),  # with the heads that its own training used
        ("regnet_x_400mf", {}, "fc"),
        pytest.param("vit_b_16", {"image_size": 32}, "heads", marks=pytest.mark.slow),  # for pictures of another size
    ],
)
def test_weights_that_a_training_takes_are_taken(
    arch: str, options: dict[str, Any], left_out: str, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    state = models.get_model(arch, weights=None, **options).state_dict()
    used = {name: tensor for name, tensor in state.items() if not name.startswith(left_out)}
    tensors, _ = own_file.load(arch, written(tmp_path / "own.safetensors", used))
    assert tensors.keys() == used.keys() and not recwarn.list
