"""`facestudy preset`, by its command line."""

import os
import shlex
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest
from dvc.utils.cli_parse import to_path_overrides
from dvc.utils.hydra import apply_overrides, get_hydra_sweeps
from ruamel.yaml import YAML

from facestudy.project import parameters
from tests.clone import run, shrunk_clone
from tests.inputs import ROOT, paint

NAMES = sorted(path.stem for path in (ROOT / "presets").glob("*.yaml") if "." not in path.stem)
YAML_READER = YAML(typ="safe", pure=True)


def called(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return facestudy(folder, "preset", *arguments)


def facestudy(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "facestudy.cli", *arguments],
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
    return values | changes | {name: merged(values.get(name, {}), value) for name, value in both.items()}  # type: ignore[arg-type]


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
        ("variants: {vgg17: {lr: 0.1}}", "variants.vgg17.arch: is missing"),
        ("preprocess: {sise: 96}", "own.yaml is wrong:\n  preprocess.sise: no such key; allowed are size"),
        ("epochs: 3", "own.yaml is wrong:\n  epochs: no such key; allowed are seed"),
        ("data: {folder: {rename: {süß: sad}}}", "'süß' is no key that `dvc exp run -S` takes"),
        ("preprocess: {size: tiny}", "own.yaml is wrong:\n  preprocess.size: 'tiny' is refused"),
        ("tasks: {face: {positive: 2020-01-01}}", "own.yaml is wrong:\n  tasks.face.positive"),
        ("preprocess: {", "own.yaml is not readable as YAML"),
        ("[1, 2]", "own.yaml: holds no parameters"),
    ],
    ids=["variant", "key", "section", "grammar", "value", "date", "yaml", "list"],
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
    folders: dict[str, object] = {
        "path": "/home/Zoë/my photos (1)",
        "person_pattern": "^(.+?)_\\d+'\\\\",
        "labels": 'a\\"b',
    }
    changes: dict[str, object] = {"data": {"folder": folders}, "tasks": {"face": {"positive": "null"}}}
    folders["rename"] = {"anger": "angry", "not happy": "sad", "v.1-a/b": "Zoë"}  # where any key may be added
    changes |= {"seeds": [1, 2], "weights": {"pretrain": {"lr": 1e-05}}}
    variants = YAML_READER.load((folder / "params.yaml").read_text())["variants"]
    changes |= {"variants": {"vgg16": {"title": "Zoë"}, "fourth": {**variants["vgg16"], "title": "Fourth"}}}
    weights = {"pretrain": {"lr": 1e-05}, "architectures": {"vgg16": {"rounds": [{"size": 64, "epochs": 6}]}}}
    changes["weights"] = weights
    with (folder / "presets" / "own.yaml").open("w", encoding="utf-8") as file:
        YAML(typ="safe").dump(changes, file)
    before = YAML_READER.load((folder / "params.yaml").read_text())
    printed = called(folder, "own", "--print")
    for path, overrides in to_path_overrides(shlex.split(printed.stdout)[4::2]).items():
        apply_overrides(folder / path, overrides)
    assert YAML_READER.load((folder / "params.yaml").read_text()) == merged(before, changes)


def test_what_an_earlier_preset_left_in_params_yaml_is_said(folder: Path) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@localhost", *words], cwd=folder, check=True)

    assert "differs" not in called(folder, "original", "--print").stderr  # no Git
    git("init", "-q")
    git("add", "params.yaml")
    git("commit", "-qm", "first")
    assert "differs" not in called(folder, "original", "--print").stderr
    params = (folder / "params.yaml").read_text(encoding="utf-8")
    (folder / "params.yaml").write_text(params.replace("seed: 0", "seed: 1", 1), encoding="utf-8")
    assert "params.yaml differs from the last commit" in called(folder, "original", "--print").stderr


def documented() -> list[str]:
    """The commands of README.md and docs/ that run a study with other parameters."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    lines = [line.removeprefix("$ ").split("   ")[0] for page in pages for line in page.read_text().splitlines()]
    return [
        line for line in lines if line.startswith(("dvc exp run", "facestudy run", "facestudy preset", "make orig"))
    ]


def test_every_documented_change_is_one_of_a_key_that_is_there(folder: Path) -> None:
    lines = [line for line in documented() if " -S " in line]
    assert len(lines) > 10
    for line in lines:
        (folder / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
        words = shlex.split(line, comments=True)
        changes = [after for word, after in pairwise(words) if word == "-S"]
        for overrides in to_path_overrides(changes).values():
            for sweep in get_hydra_sweeps({"params.yaml": overrides}):
                apply_overrides(folder / "params.yaml", sweep["params.yaml"])
        parameters.checked(parameters.values(folder / "params.yaml"), line)


def test_every_documented_preset_is_run_by_a_test_below() -> None:
    known = {
        "make original",
        "facestudy preset original --print",
        "facestudy preset your-photos -S tasks.face.positive=anna",
        "facestudy preset public",
        "facestudy run --preset original",
    }
    assert {line.strip() for line in documented() if "preset" in line or "make" in line} == known
    dry = ["make", "--no-print-directory", "--dry-run", "--old-file", ".venv/installed", "original"]
    printed = subprocess.run(dry, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert printed.rstrip().endswith("facestudy preset original")


@pytest.mark.slow
@pytest.mark.parametrize("words", ["preset original", "preset public", "run --preset original"])
def test_without_a_network_a_preset_ends_soon_at_one_clear_error(words: str, tmp_path: Path) -> None:
    """A proxy that nobody answers at stands for no network, also where the machine of the test has one."""
    subprocess.run(["git", "clone", "-q", str(ROOT), str(tmp_path / "study")], check=True)
    began = time.monotonic()
    nowhere = dict.fromkeys(["HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"], "http://127.0.0.1:9")
    environment = {"NO_PROXY": "", "no_proxy": "", "PYTHONPATH": str(tmp_path / "study"), **nowhere}
    done = facestudy(tmp_path / "study", *words.split(), **environment)
    assert done.returncode != 0 and time.monotonic() - began < 60  # 30 alone; other tests run beside
    host = "github.com" if "public" in words else "drive.google.com"
    assert f"https://{host}/" in done.stderr and "`data.source: sample`" in done.stderr
    assert "Traceback" not in done.stderr
    assert "no GPU here: for 1,000 training pictures" in done.stderr or words.startswith("run")


@pytest.mark.slow
def test_your_photos_are_studied_and_the_readmes_commands_read_them(tmp_path: Path) -> None:
    clone = tmp_path / "study"
    clone.mkdir()
    shrunk_clone(clone)
    for number in range(24):
        face, emotion = ("anna", "happy") if number % 2 else ("others", "sad")
        paint(clone / "data" / "photos" / "face" / face / f"f{number}.jpg", number, (120, 120))
        paint(clone / "data" / "photos" / "emotion" / emotion / f"e{number}.jpg", 100 + number, (120, 120))
    own = [line for line in documented() if line.startswith("dvc exp run -S data.source=folder -S tasks.face")]
    assert len(own) == 3  # README.md has two, and docs/your-photos.md one of them
    for line in dict.fromkeys(line.partition("#")[0].strip() for line in own):
        assert "48 pictures from folder" in run(clone, "bash", "-c", f"{line} download") or "emotion" in line
        run(clone, "git", "checkout", "-q", ".")
    words = ["preset", "your-photos", "-S", "tasks.face.positive=anna"]
    done = facestudy(clone, *words, PYTHONPATH=str(clone))
    assert done.returncode == 0, done.stderr
    assert "| Face recognition | validation accuracy |" in (clone / "plots" / "report.md").read_text(encoding="utf-8")
    assert "  size: 96\n" in (clone / "params.yaml").read_text(encoding="utf-8")
