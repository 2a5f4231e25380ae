"""What models' files say of themselves, and what is said of a damaged one."""

from pathlib import Path

import pytest

from facestudy.project import paths
from facestudy.tracing import described


@pytest.mark.parametrize("name", ["model.safetensors", "model.onnx", "scores.json"])
def test_of_a_damaged_file_it_is_said_that_it_is_not_readable(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{\xff")
    (said,) = described.files([str(tmp_path / name)])
    assert said.startswith(f"{tmp_path / name} is not readable as ")


def test_so_it_is_of_a_damaged_timing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = paths.timing("face", "vgg16", 0, "train")
    file.parent.mkdir(parents=True)
    file.write_text("{", encoding="utf-8")
    (said,) = described.timing("python -m stages.train face vgg16 0")
    assert said.startswith(f"{file} is not readable as JSON")
