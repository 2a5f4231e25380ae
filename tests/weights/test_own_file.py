import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from facestudy.errors import StudyError
from facestudy.project.sections import OwnFile
from facestudy.weights import own_file


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_of_a_training_that_diverged_are_refused_by_name(tmp_path: Path, value: float) -> None:
    path = tmp_path / "own.safetensors"
    save_file({"fc.bias": torch.zeros(2), "fc.weight": torch.full((2, 2), value)}, path)
    file = OwnFile(path=str(path), sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(StudyError, match=r"resnet18\.file\.path: .*own\.safetensors has NaN or infinite .* fc\.weight"):
        own_file.load("resnet18", file)
