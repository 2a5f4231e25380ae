"""The command `facestudy`."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.inputs import ROOT

MODULE = [sys.executable, "-m", "facestudy.cli"]
IMPORTED = """
import sys
from importlib.metadata import EntryPoint
from facestudy import cli
try:
    cli.main()
finally:
    print(*{name.split(".")[0] for name in sys.modules} & {"numpy", "onnxruntime", "torch", "vl_convert", "dvc"})
"""


def call(command: list[str], folder: Path = ROOT, path: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(path)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_help_lists_the_commands_and_what_each_takes() -> None:
    assert all(name in call([*MODULE, "--help"]).stdout for name in ("predict", "demo", "plots"))
    for name, option in {"predict": "PHOTO", "demo": "--port", "plots": "REVISION"}.items():
        done = call([*MODULE, name, "--help"])
        assert done.returncode == 0 and option in done.stdout
    done = call(MODULE)
    assert done.returncode == 2 and "COMMAND" in done.stderr


def test_help_imports_none_of_the_commands() -> None:
    done = call([sys.executable, "-c", IMPORTED, "--help"])
    assert done.returncode == 0 and done.stdout.splitlines()[-1] == ""


def test_an_experiment_s_copy_is_answered_by_its_own_code_alone(tmp_path: Path) -> None:
    """The installed command would run other code than the folder's; `python -m` runs the folder's."""
    shutil.copytree(ROOT / "facestudy", tmp_path / "facestudy")
    started = "import sys; sys.path.remove(''); from facestudy.cli import main; main()"  # as the console script starts
    done = call([sys.executable, "-c", started, "predict", "photo.jpg"], tmp_path)
    assert done.returncode == 1 and "python -m facestudy.cli" in done.stderr and "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1 and str(ROOT / "facestudy") in done.stderr
    done = call([*MODULE, "predict", "photo.jpg"], tmp_path)
    assert done.returncode == 1 and "data/study.json is not there" in done.stderr


def test_the_page_s_packages_are_named_where_they_are_missing(tmp_path: Path) -> None:
    (tmp_path / "gradio.py").write_text("raise ModuleNotFoundError(name='gradio')", encoding="utf-8")
    done = call([*MODULE, "demo"], path=tmp_path)
    assert done.returncode == 1 and "pip install --no-deps -r requirements-demo.txt" in done.stderr


def test_the_old_way_to_predict_names_the_new_one() -> None:
    done = call([sys.executable, "-m", "stages.predict", "photo.jpg"])
    assert done.returncode == 1 and "facestudy predict" in done.stderr and len(done.stderr.splitlines()) == 1


def test_every_package_and_every_kind_of_file_is_installed() -> None:
    """pyproject.toml names them, for nothing else at the repository's root is to be installed."""
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    files = [path for path in (ROOT / "facestudy").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    folders = {path.parent.relative_to(ROOT) for path in files if path.suffix == ".py"}
    assert set(setup["packages"]) == {".".join(folder.parts) for folder in folders}
    assert {f"*{path.suffix}" for path in files} <= {"*.py", *setup["package-data"]["*"]}


def test_the_installed_command_runs() -> None:
    done = call([str(Path(sys.executable).parent / "facestudy"), "--help"])
    assert done.returncode == 0 and "predict" in done.stdout
