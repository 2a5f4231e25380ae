"""Faults of the machine: their messages, what is left, and that the next run ends as if nothing had happened."""

import contextlib
import hashlib
import importlib
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import psutil
import pytest

from facestudy.errors import StudyError
from facestudy.models import checkpoints
from facestudy.models.metadata import WeightsMetadata
from facestudy.project import paths
from facestudy.sources import duplicates
from stages.download import download
from tests.inputs import NO_OVERRIDE, ROOT, labelled_folder, pack_noise, write_params


@cache
def may_mount() -> bool:
    """Whether this user can make a small disk."""
    with tempfile.TemporaryDirectory() as folder:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True, check=False)
        return mounted.returncode == 0 and subprocess.run(["umount", folder], check=False).returncode == 0


mounting = pytest.mark.skipif(not may_mount(), reason="takes the right to mount a small disk, as root has it")
SMALL = {
    "data.source": "folder", "preprocess.size": 32, "variants.vgg16.head": "pooled",
    "variants.vgg16.epochs.face": 2, "variants.resnet18_scratch.epochs.face": 2,
}  # fmt: skip
RANDOM = WeightsMetadata(arch="resnet18", origin="random weights")
# A clock that jumps a day back or forth at every call.
JUMPS = """
import itertools, time
true, days = time.time, itertools.cycle([0, -86400, 86400, 7 * 86400])
time.time = lambda: true() + next(days)
"""


def run(folder: Path, stage: str, before: Sequence[str] = (), **environment: str) -> str:
    """The message of a stage's failure, which is no traceback; "" where it ended well."""
    settings = {**os.environ, "PYTHONPATH": str(ROOT), "WANDB_MODE": "disabled", **environment}
    command = [*before, sys.executable, "-m", f"stages.{stage.split(maxsplit=1)[0]}", *stage.split()[1:]]
    done = subprocess.run(command, cwd=folder, env=settings, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ""
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.stderr.strip().splitlines()[-1]


def well(folder: Path, *stages: str) -> None:
    """Run stages that nothing disturbs, in this process, where they start at once."""
    with contextlib.chdir(folder), pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "disabled")
        for name, *arguments in map(str.split, stages):
            stage = getattr(importlib.import_module(f"stages.{name}"), name)
            stage(*(int(each) if each.isdecimal() else each for each in arguments))


def outputs(folder: Path) -> dict[str, bytes]:
    below = [path for name in ("data", "metrics") for path in (folder / name).rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in below}


def make(folder: Path) -> Path:
    """A folder of noise with its parameters, before any stage."""
    for name in ("photos", "pretrain-photos"):
        (folder / "data" / name).mkdir(parents=True)
    labelled_folder(folder / "data" / "photos", faces=12, emotions=12)
    write_params(folder, SMALL)
    return folder


STAGES = ["check", "download", "split face", "leaks face", "preprocess face"]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the stages give where nothing fails."""
    folder = make(tmp_path_factory.mktemp("sound"))
    well(folder, *STAGES)
    return outputs(folder)


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[None]:
    """A file system of that size at a folder."""
    folder.mkdir(parents=True)
    options = f"size={kilobytes}k"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def filled(folder: Path) -> Path:
    """A file that leaves next to no space on the folder's file system."""
    filler = folder / "filler"
    disk = os.statvfs(folder)
    filler.write_bytes(bytes(disk.f_bavail * disk.f_frsize - 20_000))
    return filler


@mounting
@pytest.mark.parametrize("stage", STAGES[1:])
def test_a_full_disk_is_an_error_and_the_next_run_is_sound(tmp_path: Path, sound: dict[str, bytes], stage: str) -> None:
    folder, position = tmp_path / "study", STAGES.index(stage)
    with small_disk(folder, 4000):
        make(folder)
        well(folder, *STAGES[:position])
        before = outputs(folder)
        filler = filled(folder)
        with filler.open("ab", buffering=0) as file, contextlib.suppress(OSError):  # to the last byte
            while True:
                file.write(bytes(512))
        message = run(folder, stage)
        assert "No space left on device; free some, and run `dvc repro` again" in message
        filler.unlink()
        assert outputs(folder) == before
        well(folder, *STAGES[position:])
        assert outputs(folder) == sound


@mounting
@pytest.mark.slow
def test_a_training_on_a_full_disk_is_an_error_and_ends_with_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ends = []
    with small_disk(tmp_path / "study", 500_000):
        folder = Path("study")
        os.chdir(folder)
        write_params(Path(), SMALL)
        pack_noise(70, train=49)
        checkpoints.save(paths.initial_weights("resnet18_scratch"), {}, RANDOM)
        for full in (True, False):
            if full:
                filler = filled(Path())
                assert "No space left on device" in run(Path(), "train face resnet18_scratch 0")
                assert not paths.checkpoint("face", "resnet18_scratch", 0).exists()
                filler.unlink()
            well(Path(), "train face resnet18_scratch 0")
            ends.append(outputs(Path()))
        os.chdir(tmp_path)
    assert ends[0] == ends[1]


@pytest.mark.parametrize("mode", [0o555, 0o000])
def test_a_folder_that_may_not_be_written_or_read_is_an_error(
    tmp_path: Path, sound: dict[str, bytes], mode: int
) -> None:
    folder = make(tmp_path / "study")
    well(folder, *STAGES[:2])
    closed = folder / "data" / ("splits" if mode else "raw")
    closed.mkdir(exist_ok=True)
    closed.chmod(mode)
    message = run(folder, "split face", before=NO_OVERRIDE)
    assert str(closed.relative_to(folder)) in message and "Permission denied; give yourself the right" in message
    closed.chmod(0o755)
    well(folder, *STAGES[2:])
    assert outputs(folder) == sound


@mounting
def test_a_read_only_disk_is_an_error(tmp_path: Path, sound: dict[str, bytes]) -> None:
    folder = tmp_path / "study"
    with small_disk(folder, 4000):
        make(folder)
        well(folder, "check")
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        assert "Read-only file system; make it writable" in run(folder, "download")
        subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)
        well(folder, *STAGES[1:])
        assert outputs(folder) == sound


@pytest.mark.parametrize("gone", [True, False])
def test_a_photo_that_goes_or_changes_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sound: dict[str, bytes], gone: bool
) -> None:
    """After all photos were read, and before each is copied."""
    folder = make(tmp_path / "study")
    monkeypatch.chdir(folder)
    photo, merge = Path("data/photos/images/f3.png"), duplicates.merge
    content = photo.read_bytes()

    def meddle(*arguments: Any) -> Any:
        photo.unlink()
        if not gone:
            photo.write_bytes(content + b"more")
        return merge(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(duplicates, "merge", meddle)
        with pytest.raises(FileNotFoundError if gone else StudyError, match=r"f3\.png"):
            download()
    assert not paths.RAW.exists()
    photo.write_bytes(content)
    well(folder, *STAGES)
    assert outputs(folder) == sound


@pytest.mark.parametrize(("stage", "megabytes"), [("preprocess face", 600), ("train face vgg16 0", 3000)])
def test_too_little_memory_ends_a_stage_and_the_next_run_is_sound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, megabytes: int
) -> None:
    """Wherever memory gives out; libraries end in many ways then, ours without an output."""
    folder = make(tmp_path / "study")
    well(folder, *STAGES)
    monkeypatch.chdir(folder)
    for variant in ("vgg16", "resnet18_scratch"):
        checkpoints.save(paths.initial_weights(variant), {}, RANDOM)
    before = outputs(folder)
    limit = (megabytes * 2**20,) * 2
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "WANDB_MODE": "disabled", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", f"stages.{stage.split(maxsplit=1)[0]}", *stage.split()[1:]], env=environment,
        capture_output=True, text=True, check=False, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, limit),
    )  # fmt: skip
    print(done.stderr)
    assert done.returncode != 0
    assert outputs(folder) == before
    well(folder, stage)


def test_a_clock_that_jumps_changes_nothing(tmp_path: Path, sound: dict[str, bytes]) -> None:
    folder = make(tmp_path / "study")
    (tmp_path / "jumps").mkdir()
    (tmp_path / "jumps" / "sitecustomize.py").write_text(JUMPS, encoding="utf-8")
    for stage in STAGES:
        assert run(folder, stage, PYTHONPATH=f"{tmp_path / 'jumps'}:{ROOT}") == ""
    assert outputs(folder) == sound


@pytest.mark.slow
def test_wandb_that_dies_in_the_middle_is_reported_and_the_training_ends(tmp_path: Path) -> None:
    training, ends = "train face resnet18_scratch 0", []
    for kill in (False, True):
        folder = tmp_path / str(kill)
        folder.mkdir()
        write_params(folder, SMALL | {"variants.resnet18_scratch.epochs.face": 4})
        with contextlib.chdir(folder):
            pack_noise(70, train=49)
            checkpoints.save(paths.initial_weights("resnet18_scratch"), {}, RANDOM)
        if kill:
            output = without_wandb(folder, training)
            assert "continuing without it" in output
        else:
            well(folder, training)
        ends.append(outputs(folder))
    assert ends[0] == ends[1]


def without_wandb(folder: Path, training: str) -> str:
    """What a training printed whose W&B process was killed after the first of four epochs."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "WANDB_MODE": "offline", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-u", "-m", *f"stages.{training}".split()]
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    output = ""
    for line in process.stdout:
        output += line
        if "Epoch 1/4" in line:
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
    assert process.wait(timeout=60) == 0, output
    return output


def pipeline(folder: Path) -> Path:
    """A folder as `make` leaves it, with the project's own pipeline."""
    make(folder)
    for name in ("stages", "facestudy", ".dvc/config", ".dvcignore", ".gitignore", "dvc.yaml"):
        (folder / name).parent.mkdir(exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
        copy(ROOT / name, folder / name)
    return folder


def dvc(folder: Path, *arguments: str) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "GIT_CEILING_DIRECTORIES": str(folder.parent)}
    done = subprocess.run(["dvc", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("git", ["none", "without a commit"])
def test_dvc_runs_the_stages_without_git_and_without_a_commit(
    tmp_path: Path, sound: dict[str, bytes], git: str
) -> None:
    folder = pipeline(tmp_path / "study")
    if git == "none":
        dvc(folder, "config", "--local", "core.no_scm", "true")
    else:
        subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    dvc(folder, "repro", "preprocess@face")
    assert outputs(folder) == sound


@pytest.mark.slow
def test_a_damaged_cache_file_is_found_and_made_again(tmp_path: Path, sound: dict[str, bytes]) -> None:
    folder = pipeline(tmp_path / "study")
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    dvc(folder, "repro", "preprocess@face")
    packed = folder / paths.prepared("face") / "images.npy"
    digest = hashlib.md5(packed.read_bytes()).hexdigest()
    cached = folder / ".dvc" / "cache" / "files" / "md5" / digest[:2] / digest[2:]
    cached.chmod(0o644)
    cached.write_bytes(cached.read_bytes()[:-100] + bytes(100))
    shutil.rmtree(folder / paths.prepared("face"))
    dvc(folder, "repro", "preprocess@face")
    assert outputs(folder) == sound
