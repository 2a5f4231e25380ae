"""dvc.yaml names for each stage the code that it imports and the parameters that it reads, and nothing else."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import grimp
import pytest
import yaml
from ruamel.yaml import YAML

from facestudy.errors import StudyError
from facestudy.project.parameters import load, read
from facestudy.project.sections import Recipe

ROOT = Path(__file__).parents[1]
# They decide how a stage starts, ends and reports an error, and no result.
NO_RESULT = {f"facestudy/{name}.py" for name in ("errors", "stage", "process")}
PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
STAGES = {name: stage.get("do", stage) for name, stage in PIPELINE["stages"].items()}


@cache
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("facestudy", "stages", exclude_type_checking_imports=True)


def code(stage: str) -> set[str]:
    """Files of the modules that a stage imports, at their top or within functions, and what those import."""
    modules = graph().find_upstream_modules(f"stages.{stage}") | {f"stages.{stage}"}
    paths = {ROOT / f"{module.replace('.', '/')}.py" for module in modules}
    return {path.relative_to(ROOT).as_posix() for path in paths if path.is_file()} - NO_RESULT


def covers(dep: str, path: str) -> bool:
    return path == dep or path.startswith(f"{dep}/")


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_lists_the_code_it_imports(stage: str) -> None:
    listed = [dep for dep in STAGES[stage]["deps"] if dep.startswith(("stages/", "facestudy/"))]
    imported = code(stage)
    assert {path for path in imported if not any(covers(dep, path) for dep in listed)} == set()
    assert {dep for dep in listed if not any(covers(dep, path) for path in imported)} == set()
    assert listed == [f"stages/{stage}.py", *sorted(listed[1:])]


def test_every_stage_has_its_file_and_every_file_its_stage() -> None:
    files = {path.stem for path in (ROOT / "stages").glob("*.py")} - {"__init__", "predict"}
    assert files == set(STAGES)


def test_packages_hold_a_docstring_alone() -> None:
    """An import of theirs would run code that no stage lists."""
    for path in (ROOT / "facestudy").rglob("__init__.py"):
        assert len(ast.parse(path.read_text(encoding="utf-8")).body) == 1, path


def keys_read(text: str) -> Iterator[str]:
    """What a stage reads of its settings: `settings.tasks[task].positive` is tasks.${item.task}.positive."""
    tree = ast.parse(text)
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute | ast.Subscript)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute | ast.Subscript) or id(node) in inner:
            continue
        parts: list[str] = []
        each: ast.expr = node
        while isinstance(each, ast.Attribute | ast.Subscript):
            parts.insert(0, each.attr if isinstance(each, ast.Attribute) else f"${{item.{ast.unparse(each.slice)}}}")
            each = each.value
        if isinstance(each, ast.Name) and each.id == "settings":
            if parts[-1] == "recipe":
                yield from (".".join([*parts[:-1], field]) for field in Recipe.model_fields)
            else:
                yield ".".join(parts)


@pytest.mark.parametrize("stage", sorted(set(STAGES) - {"check"}))
def test_a_stage_declares_the_parameters_it_reads(stage: str) -> None:
    text = (ROOT / "stages" / f"{stage}.py").read_text(encoding="utf-8")
    declared = {key.replace("${key}", "${item.variant}") for key in STAGES[stage].get("params", [])}
    assert set(keys_read(text)) == declared


@pytest.mark.parametrize(
    ("stage", "key", "declared"),
    [
        ("split@face", "split.folds", True),
        ("initial_weights@vgg16", "variants.vgg16.arch", True),
        ("train@face-vgg16-0", "variants.vgg16.epochs.face", True),
        ("split@face", "training", False),
        ("initial_weights@vgg16", "variants.vgg16.lr", False),
        ("train@face-vgg16-0", "variants.vgg16.title", False),
    ],
)
def test_a_stage_is_refused_a_parameter_that_it_does_not_declare(
    monkeypatch: pytest.MonkeyPatch, stage: str, key: str, declared: bool
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("DVC_STAGE", stage)

    if declared:
        assert value(read(), key) == value(load(), key)
    else:
        with pytest.raises(StudyError, match=f"reads {key}; dvc.yaml: declare it"):
            value(read(), key)


def value(section: object, key: str) -> object:
    """What lies at a key: attributes of sections, entries of tasks, variants and epochs."""
    for part in key.split("."):
        section = section[part] if part in ("vgg16", "face") else getattr(section, part)  # type: ignore[index]
    return section


@pytest.mark.parametrize(
    ("stages", "heavy"),
    [
        ("check download initial_weights report", {"torch", "cv2", "sklearn", "scipy", "matplotlib"}),
        ("split plot compare", {"torch", "cv2", "sklearn"}),
        ("preprocess pretrain_faces", {"torch", "sklearn", "scipy", "matplotlib"}),
    ],
)
def test_a_stage_starts_without_what_it_does_not_need(stages: str, heavy: set[str]) -> None:
    modules = ", ".join(f"stages.{stage}" for stage in stages.split())
    program = f"import {modules}, sys; print(*{heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_dvc_parses_its_files_in_c() -> None:
    """Its lock is read in every call; ruamel.yaml falls back to Python without a word."""
    assert YAML(typ="safe").Parser.__module__ == "ruamel.yaml.clib._ruamel_yaml"


def test_the_pipeline_is_short_enough_to_read() -> None:
    text = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
    assert len(text.partition("artifacts:")[0].splitlines()) <= 300
