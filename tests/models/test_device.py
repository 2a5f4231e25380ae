import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from facestudy.errors import StudyError
from facestudy.models.device import fabric_for
from tests.inputs import ROOT


def test_half_precision_without_a_gpu_is_refused_and_not_exchanged() -> None:
    with pytest.raises(StudyError, match="precision: '16-mixed' needs a GPU, and there is none; use auto"):
        fabric_for("16-mixed")
    assert fabric_for("auto").strategy.precision.precision in ("bf16-mixed", "32-true")


@pytest.mark.parametrize(
    "code",
    [
        "from facestudy.models.device import fabric_for; fabric_for('32-true')",
        "from tests.models.test_trained import come_back; come_back('resnet18', 'original')",
    ],
    ids=["training", "trained"],
)
def test_one_process_on_a_cluster_gets_no_warning(tmp_path: Path, code: str) -> None:
    srun = tmp_path / "srun"
    srun.write_text("#!/bin/sh\n", encoding="utf-8")
    srun.chmod(0o755)
    command = [sys.executable, "-c", code]
    settings = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    assert subprocess.run(command, env=settings, capture_output=True, text=True, check=True).stderr == ""


@pytest.mark.parametrize(("own", "expected"), [(None, ":4096:8"), (":16:8", ":16:8")])
def test_cublas_is_told_to_repeat_itself_before_cuda_starts(
    own: str | None, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    if own is not None:
        monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", own)
    seen: list[str | None] = []

    def no_gpu() -> bool:
        seen.append(os.environ.get("CUBLAS_WORKSPACE_CONFIG"))
        return False

    monkeypatch.setattr(torch.cuda, "is_available", no_gpu)
    fabric_for("auto")
    assert seen[0] == os.environ["CUBLAS_WORKSPACE_CONFIG"] == expected


def test_full_precision_is_not_rounded_to_tf32() -> None:
    fabric_for("32-true")
    assert not torch.backends.cudnn.allow_tf32 and not torch.backends.cuda.matmul.allow_tf32
