from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from facestudy.errors import StudyError
from facestudy.models import checkpoints
from facestudy.models.metadata import EmptyMetadata, HistogramMetadata, WeightsMetadata

METADATA = WeightsMetadata(arch="resnet18", origin="häppy people")


def test_what_is_saved_reads_back_and_repeats_byte_for_byte(tmp_path: Path) -> None:
    tensors = {"b": torch.rand(2, 3, 4, 4).to(memory_format=torch.channels_last), "a": torch.arange(3)}
    for name in ("one", "two"):
        checkpoints.save(tmp_path / name, tensors, METADATA)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    loaded, metadata = checkpoints.load(tmp_path / "one", WeightsMetadata)
    assert metadata == METADATA and all(torch.equal(loaded[name], tensors[name]) for name in tensors)
    assert checkpoints.describe(tmp_path / "one", WeightsMetadata) == (["a", "b"], METADATA)


def test_a_file_without_tensors_says_why(tmp_path: Path) -> None:
    empty = EmptyMetadata(reason="no picture has a label")
    checkpoints.save(tmp_path / "empty", {}, empty)
    assert checkpoints.load(tmp_path / "empty", WeightsMetadata) == ({}, empty)


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(b"not safetensors")
    for name in ("weights", "missing"):
        with pytest.raises(StudyError, match=f"{name} is not readable"):
            checkpoints.load(tmp_path / name, WeightsMetadata)
        with pytest.raises(StudyError, match=f"{name} is not readable"):
            checkpoints.load_tensors(tmp_path / name)


def test_metadata_of_an_older_version_or_another_kind_are_refused(tmp_path: Path) -> None:
    checkpoints.save(tmp_path / "weights", {}, METADATA)
    with pytest.raises(StudyError, match=r"weights: HistogramMetadata\..*delete it"):
        checkpoints.load(tmp_path / "weights", HistogramMetadata)
    for old in ({}, {"about": "{}"}, {"metadata": '{"arch": "resnet18"}'}):
        save_file({"a": torch.ones(1)}, tmp_path / "old", old)
        with pytest.raises(StudyError, match="old was written by an older version"):
            checkpoints.load(tmp_path / "old", WeightsMetadata)
        assert checkpoints.load_tensors(tmp_path / "old")["a"].item() == 1
    for wrong in ('{"format": 2, "arch": "resnet18", "origin": ""}', '{"format": '):
        save_file({"a": torch.ones(1)}, tmp_path / "wrong", {"metadata": wrong})
        with pytest.raises(StudyError, match=r"wrong: .*delete it"):
            checkpoints.load(tmp_path / "wrong", WeightsMetadata)
