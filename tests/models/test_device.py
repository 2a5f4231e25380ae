import pytest
import torch

from facestudy.errors import StudyError
from facestudy.models.device import fabric_for


def test_half_precision_without_a_gpu_is_refused_and_not_exchanged() -> None:
    with pytest.raises(StudyError, match="precision: '16-mixed' needs a GPU, and there is none; use auto"):
        fabric_for("16-mixed")
    assert fabric_for("auto").strategy.precision.precision in ("bf16-mixed", "32-true")


def test_full_precision_is_not_rounded_to_tf32() -> None:
    fabric_for("32-true")
    assert not torch.backends.cudnn.allow_tf32 and not torch.backends.cuda.matmul.allow_tf32
