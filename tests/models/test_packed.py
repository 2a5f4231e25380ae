"""Packed pictures that a crash, a full disk or a copy has damaged."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from facestudy.errors import StudyError
from facestudy.models.packed import Packed
from facestudy.project import paths
from stages.train import train
from tests.inputs import pack_noise, write_params


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def cut_in_the_header(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:50])


def zeros(file: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))


def broken_header(file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b"{'descr'", b"{'descr(", 1))


def empty(file: Path) -> None:
    file.write_bytes(b"")


def fewer(file: Path) -> None:
    np.save(file, np.load(file)[:-1])


def other_kind(file: Path) -> None:
    np.save(file, np.load(file).astype(np.float32))


def gone(file: Path) -> None:
    file.unlink()


@pytest.mark.parametrize("damage", [cut, cut_in_the_header, zeros, broken_header, empty, fewer, other_kind, gone])
def test_a_damaged_array_file_is_named_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[Path], None]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_params(tmp_path, {})
    pack_noise(12, 8)
    file = paths.prepared("face") / "images.npy"
    assert len(Packed.read(file.parent).images) == 12
    damage(file)
    with pytest.raises(StudyError, match=rf"^{re.escape(str(file))} is (damaged|not there).*dvc repro"):
        train("face", "resnet18_scratch", 0)
