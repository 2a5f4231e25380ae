"""The preset `original` from its download to its report, against servers on loopback; gdown and torch.hub are real.

Smaller than the original study in nothing but its pictures and epochs: 224 px, torchvision's own heads and the shapes
of its weights.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torchvision import models

from facestudy.models import checkpoints
from facestudy.models.metadata import CheckpointMetadata, WeightsMetadata
from facestudy.project import parameters, paths
from facestudy.project.tables import read_csv
from facestudy.report.original_study import stated_accuracy
from facestudy.synthetic import photo_sets
from tests.clone import VARIANTS, run, shrunk_clone
from tests.drive_server import TOO_MANY, drive_server
from tests.inputs import write_labels
from tests.loopback import serving

pytestmark = pytest.mark.slow

PICTURES = {"target_pictures": 10, "other_pictures": 20, "emotion_pictures": 30}
UMLAUT = "images/Björn & Zoë.jpg"
PACKED = "images/packed.zip"


@dataclass
class Outcome:
    """The study after two runs, what the first one was refused by, and what Drive was asked for."""

    study: Path
    refused: str
    asked: list[str]


def fill_drive(folder: Path) -> None:
    """labels.csv and images/ with more than 50 drawn photos, of which some are in an archive."""
    sample = parameters.load().data.sample.model_copy(update=PICTURES)
    table = photo_sets.collect(sample, 0, folder / "images")
    rows = [{str(key): str(value) for key, value in row.items()} for row in table.fillna("").to_dict("records")]
    (folder / "images" / rows[0]["file"]).rename(folder / UMLAUT)
    rows[0]["file"] = Path(UMLAUT).name
    packed = folder.parent / "packed"
    packed.mkdir()
    for row in rows[1:5]:
        shutil.move(folder / "images" / row["file"], packed / row["file"])
        row["file"] = f"packed/{row['file']}"
    shutil.make_archive(str(folder / "images" / "packed"), "zip", packed)
    write_labels(folder / "labels.csv", rows)


def save_weights(folder: Path) -> dict[str, str]:
    """A file of weights of torchvision's shapes for each architecture, with its hash in its name; the names."""
    names = {}
    for arch in ("resnet18", "vgg16"):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            network = models.get_model(arch, weights=None)
        torch.save(network.state_dict(), folder / arch)
        with (folder / arch).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        names[arch] = f"{arch}-{digest[:8]}.pth"
        (folder / arch).rename(folder / names[arch])
    return names


@pytest.fixture(scope="module")
def outcome(module_folder: Path) -> Iterator[Outcome]:
    """Both runs of the preset; both take gigabytes."""
    folders = {name: module_folder / name for name in ("study", "Drive", "certificates", "mirror")}
    for folder in folders.values():
        folder.mkdir()
    shrunk_clone(folders["study"], {"challenges.strengths": [5]})
    run(folders["study"], "dvc", "config", "--local", "cache.type", "hardlink,copy")  # four gigabytes less
    fill_drive(folders["Drive"])
    names = save_weights(folders["mirror"])
    with serving(folders["mirror"]) as mirror, drive_server(folders["Drive"], folders["certificates"]) as drive:
        drive.scanned, drive.refused = {PACKED}, {UMLAUT}
        changes = [f'data.drive.url="{drive.url}"']
        changes += [f'weights.architectures.{arch}.imagenet="{mirror}/{name}"' for arch, name in names.items()]
        changes += [f"variants.{variant}.epochs.{task}=1" for variant in VARIANTS for task in ("face", "emotion")]
        command = [sys.executable, "-m", "facestudy.cli", "preset", "original"]
        command += [part for change in changes for part in ("-S", change)]
        environment = os.environ | drive.environment | {"WANDB_MODE": "offline"}
        environment |= {
            "TORCH_HOME": str(module_folder / "torch"),
            "PYTHONPATH": str(folders["study"]),
            "CUDA_VISIBLE_DEVICES": "",
            "OMP_NUM_THREADS": "2",
        }

        def called() -> subprocess.CompletedProcess[str]:
            study = folders["study"]
            return subprocess.run(command, cwd=study, env=environment, capture_output=True, text=True, check=False)

        refused = called()
        assert refused.returncode != 0, refused.stdout
        drive.refused.clear()
        finished = called()
        assert finished.returncode == 0, f"{finished.stdout}\n{finished.stderr}"
        yield Outcome(folders["study"], refused.stderr, drive.asked)


def test_what_drive_refuses_is_named_and_the_next_run_goes_on(outcome: Outcome) -> None:
    assert f"{UMLAUT}: {TOO_MANY}" in outcome.refused and "the next `dvc repro` copies" in outcome.refused
    assert "Traceback" not in outcome.refused
    assert outcome.asked.count(UMLAUT) == outcome.asked.count(f"refused {UMLAUT}") == 1
    assert outcome.asked.count(PACKED) == outcome.asked.count(f"scanned {PACKED}") == 1
    assert len(outcome.asked) == len(set(outcome.asked)) > 50  # nothing was copied twice


def test_every_photo_arrives(outcome: Outcome) -> None:
    table = read_csv(outcome.study / paths.RAW / "index.csv")
    assert len(table) == sum(PICTURES.values())
    assert UMLAUT.removeprefix("images/") in " ".join(table["source_file"])
    assert table["source_file"].str.contains("packed/").sum() == 4


def test_the_weights_are_the_mirrors_in_torchvisions_shapes(outcome: Outcome) -> None:
    for arch in ("resnet18", "vgg16"):
        names, metadata = checkpoints.describe(outcome.study / paths.weights(arch), WeightsMetadata)
        assert isinstance(metadata, WeightsMetadata) and metadata.origin.startswith(f"{arch} from http://127.0.0.1:")
        assert set(names) == set(models.get_model(arch, weights=None).state_dict())


def test_the_networks_have_torchvisions_heads_and_224_pixels(outcome: Outcome) -> None:
    shapes = {"vgg16": ("classifier.0.weight", (4096, 25088)), "resnet18_scratch": ("fc.weight", (2, 512))}
    for variant, (name, shape) in shapes.items():
        file = outcome.study / paths.checkpoint("face", variant, 0)
        tensors, metadata = checkpoints.load(file, CheckpointMetadata)
        assert isinstance(metadata, CheckpointMetadata) and metadata.size == 224
        assert tuple(tensors[name].shape) == shape
    assert not list((outcome.study / ".resume").rglob("*.safetensors"))


def test_the_report_stands_beside_the_original_study(outcome: Outcome) -> None:
    text = (outcome.study / paths.REPORT_MARKDOWN).read_text(encoding="utf-8")
    first_page = text.split("## Contents")[0]
    for task in ("face", "emotion"):
        for variant in VARIANTS:
            [row] = [line for line in first_page.splitlines() if line.endswith(f"| {stated_accuracy(task, variant)} |")]
            assert "%" in row.split("|")[2]
    assert (outcome.study / paths.REPORT_HTML).is_file()
