"""The check for undeclared reads and writes finds planted ones, through libraries that Python does not see into."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from tests.inputs import ROOT
from tests.traces import NO_STRACE, strace_works, traced_python, violations

SCRIPT = """
import sys
from pathlib import Path
import cv2
from safetensors import safe_open
from facestudy.project.files import write_text
import planted
cv2.imread("given.png")
cv2.imread("hidden.png")
safe_open("hidden.safetensors", "np").keys()
write_text(Path("result.txt"), "declared")
Path("left/over.txt").write_text("not declared")
"""


@pytest.mark.skipif(not strace_works(), reason=NO_STRACE)
def test_planted_reads_and_writes_are_found(tmp_path: Path) -> None:
    for name in ("given.png", "hidden.png"):
        Image.new("RGB", (20, 20)).save(tmp_path / name)
    save_file({"a": np.zeros(3)}, tmp_path / "hidden.safetensors")
    (tmp_path / "planted.py").write_text("", encoding="utf-8")
    (tmp_path / "left").mkdir()
    (tmp_path / "logs").mkdir()
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    python = traced_python(tmp_path / "logs") / "python"
    environment = {**os.environ, "DVC_STAGE": "work", "PYTHONPATH": str(ROOT)}
    subprocess.run([str(python), "script.py"], cwd=tmp_path, env=environment, check=True)
    log = (tmp_path / "logs" / "work.log").read_text(encoding="utf-8")
    assert violations(log, tmp_path, ["given.png", "script.py"], ["result.txt"]) == [
        "reads hidden.png",
        "reads hidden.safetensors",
        "reads the code planted.py",
        "writes left/over.txt",
    ]
