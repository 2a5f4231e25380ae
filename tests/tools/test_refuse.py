import subprocess
import sys
from pathlib import Path

import pytest

from tests.inputs import ROOT
from tools.refuse import LIMIT, reason


def test_the_repository_holds_nothing_that_is_refused() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert len(listed.splitlines()) > 100
    assert [name for name in listed.splitlines() if reason(ROOT / name)] == []


@pytest.mark.parametrize("name", ["me.JPG", "model.onnx", "large.bin"])
def test_photos_weights_and_large_files_are_refused(tmp_path: Path, name: str) -> None:
    with (tmp_path / name).open("wb") as file:
        file.truncate(LIMIT + 1 if name == "large.bin" else 10)
    command = [sys.executable, "-m", "tools.refuse", str(tmp_path / name), "README.md"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stderr.startswith(f"{tmp_path / name}: ") and "README" not in done.stderr
