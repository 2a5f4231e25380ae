"""`facestudy preset`, by its command line."""

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest
from dvc.utils.cli_parse import to_path_overrides
from dvc.utils.hydra import apply_overrides
from ruamel.yaml import YAML

from tests.inputs import ROOT

NAMES = sorted(path.stem for path in (ROOT / "presets").glob("*.yaml") if "." not in path.stem)
YAML_READER = YAML(typ="safe", pure=True)


def called(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "facestudy.cli", "preset", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    (tmp_path / "presets").symlink_to(ROOT / "presets")
    return tmp_path


def merged(values: dict[str, object], changes: dict[str, object]) -> dict[str, object]:
    both = {name: value for name, value in changes.items() if isinstance(value, dict)}
    return values | changes | {name: merged(values[name], value) for name, value in both.items()}  # type: ignore[arg-type]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_printed_gives_dvc_the_values_of_the_file(name: str, folder: Path) -> None:
    printed = called(folder, name, "--print", "-S", "seed=7")
    assert printed.returncode == 0, printed.stderr
    before = YAML_READER.load((folder / "params.yaml").read_text())
    words = shlex.split(printed.stdout)
    assert words[:3] == ["dvc", "exp", "run"] and words[-2:] == ["-S", "seed=7"]
    for path, overrides in to_path_overrides(words[4::2]).items():
        apply_overrides(folder / path, overrides)
    changes = YAML_READER.load((ROOT / "presets" / f"{name}.yaml").read_text())
    assert YAML_READER.load((folder / "params.yaml").read_text()) == merged(before, changes) | {"seed": 7}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("variants: {vgg17: {lr: 0.1}}", "variants.vgg17: no such key"),
        ("preprocess: {size: tiny}", "own.yaml is wrong:\n  preprocess.size: 'tiny' is refused"),
        ("tasks: {face: {positive: 2020-01-01}}", "own.yaml is wrong:\n  tasks.face.positive"),
        ("preprocess: {", "own.yaml is not readable as YAML"),
        ("[1, 2]", "own.yaml: holds no parameters"),
    ],
    ids=["key", "value", "date", "yaml", "list"],
)
def test_a_wrong_preset_is_named_before_anything_runs(text: str, message: str, folder: Path) -> None:
    (folder / "presets").unlink()
    (folder / "presets").mkdir()
    (folder / "presets" / "own.yaml").write_text(text, encoding="utf-8")
    done = called(folder, "own")
    assert done.returncode == 1 and message in done.stderr and "Traceback" not in done.stderr
    assert "there is no preset 'original'; presets/ has own" in called(folder, "original").stderr


def test_values_of_every_kind_reach_dvc_as_they_stand(folder: Path) -> None:
    (folder / "presets").unlink()
    (folder / "presets").mkdir()
    folders = {"path": "/home/Zoë/my photos (1)", "person_pattern": "^(.+?)_\\d+'\\\\", "labels": 'a\\"b'}
    changes: dict[str, object] = {"data": {"folder": folders}, "tasks": {"face": {"positive": "null"}}}
    changes |= {"seeds": [1, 2], "weights": {"pretrain": {"lr": 1e-05}}}
    changes |= {"variants": {"vgg16": {"title": "Zoë"}}}
    weights = {"pretrain": {"lr": 1e-05}, "architectures": {"vgg16": {"rounds": [{"size": 64, "epochs": 6}]}}}
    changes["weights"] = weights
    with (folder / "presets" / "own.yaml").open("w", encoding="utf-8") as file:
        YAML(typ="safe").dump(changes, file)
    before = YAML_READER.load((folder / "params.yaml").read_text())
    printed = called(folder, "own", "--print")
    for path, overrides in to_path_overrides(shlex.split(printed.stdout)[4::2]).items():
        apply_overrides(folder / path, overrides)
    assert YAML_READER.load((folder / "params.yaml").read_text()) == merged(before, changes)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["original", "public"])
def test_without_a_network_a_preset_ends_soon_at_one_clear_error(name: str, tmp_path: Path) -> None:
    """A proxy that nobody answers at stands for no network, also where the machine of the test has one."""
    subprocess.run(["git", "clone", "-q", str(ROOT), str(tmp_path / "study")], check=True)
    began = time.monotonic()
    nowhere = dict.fromkeys(["HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"], "http://127.0.0.1:9")
    environment = {"NO_PROXY": "", "no_proxy": "", "PYTHONPATH": str(tmp_path / "study"), **nowhere}
    done = called(tmp_path / "study", name, **environment)
    assert done.returncode != 0 and time.monotonic() - began < 60  # 30 alone; other tests run beside
    host = {"original": "drive.google.com", "public": "github.com"}[name]
    assert f"https://{host}/" in done.stderr and "`data.source: sample`" in done.stderr
    assert "no GPU here: for 1,000 training pictures" in done.stderr and "Traceback" not in done.stderr
