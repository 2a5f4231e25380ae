"""The pipeline in a clone of the working tree, shrunk through params.yaml alone, with a cache of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.traces import strace_works, traced_python

ROOT = Path(__file__).parents[1]
VARIANTS = ["vgg16", "resnet18_scratch", "resnet18_pretrained"]


def run(folder: Path, *command: str, first_in_path: Path = Path(sys.executable).parent) -> str:
    """What a command printed; its failure fails the test with all it said."""
    path = f"{first_in_path}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "WANDB_MODE": "offline", "PATH": path}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def set_keys(folder: Path, values: dict[str, Any]) -> None:
    """Change keys of params.yaml, named by their path; none may be new."""
    path = folder / "params.yaml"
    params = yaml.safe_load(path.read_text(encoding="utf-8"))
    for key, value in values.items():
        *parents, last = key.split(".")
        section = params
        for parent in parents:
            section = section[parent]
        assert last in section, key
        section[last] = value
    path.write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")


SHRUNK: dict[str, Any] = {
    "data.sample.target_pictures": 20,
    "data.sample.other_pictures": 40,
    "data.sample.emotion_pictures": 60,
    "preprocess.size": 32,
    "variants.vgg16.head": "pooled",  # 32 pixels leave one cell of features
    "challenges.strengths": [5],
    "weights.pretrain.people": 12,
    "weights.pretrain.pictures": 60,
    "weights.architectures.vgg16.rounds": [{"size": 32, "epochs": 1}],
    "weights.architectures.resnet18.rounds": [{"size": 32, "epochs": 1}],
    **{f"variants.{variant}.epochs.{task}": 2 for variant in VARIANTS for task in ("face", "emotion")},
}


def shrunk_clone(clone: Path, changes: dict[str, Any] | None = None) -> None:
    """Fill an empty folder with the working tree's files and commit them, with a study of minutes.

    `changes`: of params.yaml, in place of those that shrink the study.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.splitlines():
        # dvc.lock and the default run's results would let DVC skip what is to be tested here.
        if (ROOT / name).is_file() and name != "dvc.lock" and not name.startswith(("metrics/", "plots/", "timings/")):
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, clone / name)
    run(clone, "git", "init", "-q")
    run(clone, "git", "config", "user.name", "test")
    run(clone, "git", "config", "user.email", "test@localhost")
    _use_own_cache(clone)
    set_keys(clone, SHRUNK if changes is None else changes)
    run(clone, "git", "add", "-A")
    run(clone, "git", "commit", "-qm", "shrunk")


def finish(folder: Path) -> None:
    """study/, a shrunk clone that was run once in full; traces/, logs of what its stages opened, where strace works."""
    clone, traces = folder / "study", folder / "traces"
    clone.mkdir()
    traces.mkdir()
    shrunk_clone(clone)
    traced = traced_python(traces) if strace_works() else Path(sys.executable).parent
    run(clone, "dvc", "repro", first_in_path=traced)
    run(clone, "git", "add", "-A")
    run(clone, "git", "commit", "-qm", "first run")


def copy_study(study: Path, copy: Path) -> Path:
    """A copy to change, with its own Git repository and DVC cache."""
    shutil.copytree(study, copy, symlinks=True)
    _use_own_cache(copy)
    return copy


def _use_own_cache(clone: Path) -> None:
    """Whatever this user's own setting; `dvc exp run` takes a path that is not absolute as one from another folder."""
    run(clone, "dvc", "cache", "dir", "--local", str(clone / ".dvc" / "cache"))


def ran(output: str) -> set[str]:
    """Stages that ran, by what `dvc repro` printed."""
    marked = [line for line in output.splitlines() if line.startswith("Running stage '")]
    return {line.split("'")[1] for line in marked}
