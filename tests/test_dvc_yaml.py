"""dvc.yaml names for each stage just the code that it imports and the parameters that it reads."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ruamel.yaml import YAML

from stages.errors import StudyError
from stages.params import Recipe, read

ROOT = Path(__file__).parents[1]
# They move values and files about and decide no result; listed, a comment in them would train everything again.
SHARED = {"stages/params.py", "stages/paths.py", "stages/errors.py", "stages/writing.py", "stages/dvc_process.py"}
PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
STAGES = {name: stage.get("do", stage) for name, stage in PIPELINE["stages"].items()}


def imported(path: Path, seen: set[Path]) -> set[Path]:
    """Modules of the project that a file imports, at its top or within functions, and what those import."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("stages"):
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.startswith("stages")]
        elif isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
            package = str(node.values[0].value)  # import_module(f"stages.sources.{...}"): any module of the package
            if package.startswith("stages.") and package.endswith("."):
                folder = ROOT / package.replace(".", "/")
                names = [f"{package}{module.stem}" for module in folder.glob("[a-z]*.py")]
        for name in names:
            found = ROOT / (name.replace(".", "/") + ".py")
            if found.is_file() and found not in seen:
                seen.add(found)
                imported(found, seen)
    return seen


def code(stage: str) -> set[str]:
    """Code files of a stage, without the shared ones."""
    start = ROOT / "stages" / f"{stage}.py"
    modules = imported(start, {start})
    beside = {path.with_suffix(suffix) for path in modules for suffix in (".css", ".js")}
    files = {path.relative_to(ROOT).as_posix() for path in modules | {path for path in beside if path.is_file()}}
    return files - (SHARED if stage != "check" else set())


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_lists_the_code_it_imports(stage: str) -> None:
    listed = {dep for dep in STAGES[stage]["deps"] if dep.startswith("stages/")}
    assert listed == code(stage)


@pytest.mark.parametrize("stage", sorted(set(STAGES) - {"check"}))
def test_a_stage_declares_the_parameters_it_reads(stage: str) -> None:
    text = (ROOT / "stages" / f"{stage}.py").read_text(encoding="utf-8")
    keys: set[str] = set()
    for call in re.findall(r"(?:^|[^_\w])read\(([^()]*)\)", text):
        keys |= {re.sub(r"\{(\w+)\}", r"${item.\1}", key) for key in re.findall(r'f?"([^"]+)"', call)}
    if "read_recipe(" in text:
        keys |= {f"variants.${{item.variant}}.{field}" for field in Recipe.model_fields}
    declared = {key.replace("${key}", "${item.variant}") for key in STAGES[stage].get("params", [])}
    assert keys == declared


@pytest.mark.parametrize(
    ("stage", "key", "declared"),
    [
        ("split@face", "split.folds", True),
        ("start@vgg16", "variants.vgg16.arch", True),
        ("train@face-vgg16-0", "variants.vgg16.epochs.face", True),
        ("split@face", "training", False),
        ("start@vgg16", "variants.vgg16.lr", False),
    ],
)
def test_a_stage_is_refused_a_parameter_that_it_does_not_declare(
    monkeypatch: pytest.MonkeyPatch, stage: str, key: str, declared: bool
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("DVC_STAGE", stage)
    if declared:
        read(key)
    else:
        with pytest.raises(StudyError, match=f"reads {key}; dvc.yaml: declare it"):
            read(key)


@pytest.mark.parametrize(
    ("stages", "heavy"),
    [
        ("check download start report", {"torch", "cv2", "sklearn", "scipy", "matplotlib"}),
        ("split plot compare", {"torch", "cv2", "sklearn"}),
        ("preprocess pretrain_faces", {"torch", "sklearn", "scipy", "matplotlib"}),
    ],
)
def test_a_stage_starts_without_what_it_does_not_need(stages: str, heavy: set[str]) -> None:
    modules = ", ".join(f"stages.{stage}" for stage in stages.split())
    told = f"import {modules}, sys; print(*{heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", told], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_dvc_parses_its_files_in_c() -> None:
    """Its lock is read in every call; ruamel.yaml falls back to Python without a word."""
    assert YAML(typ="safe").Parser.__module__ == "ruamel.yaml.clib._ruamel_yaml"
