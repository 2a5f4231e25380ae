"""`python -m benchmarks.gpu`: its small form on a CPU, and what it says where a part fails."""

import json
import os
import subprocess
import sys
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest

from benchmarks import bench, gpu, gpu_page
from benchmarks.gpu_speed import Row
from benchmarks.gpu_study import Study
from facestudy.project.files import write_json
from tests.inputs import ROOT

# What a machine that runs nothing but this needs not have.
LEFT_OUT = ("dvc", "wandb", "matplotlib", "onnx", "onnxruntime", "captum", "gdown", "jinja2")
VARIANTS = ("vgg16", "resnet18_scratch", "resnet18_pretrained")


@pytest.fixture(scope="module")
def small(module_folder: Path) -> dict[str, Any]:
    folder = module_folder
    for name in LEFT_OUT:
        (folder / f"{name}.py").write_text(f"raise ModuleNotFoundError('No module named {name}', name='{name}')\n")
    command = [sys.executable, "-m", "benchmarks.gpu", "--small", str(folder)]
    settings = os.environ | {"PYTHONPATH": f"{folder}:{ROOT}"}
    done = subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    results: dict[str, Any] = json.loads((folder / "gpu.json").read_text(encoding="utf-8"))
    return results | {"printed": done.stdout}


def rows(results: dict[str, Any], part: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = results["parts"][part]["rows"]
    return found


@pytest.mark.slow
def test_every_part_runs_on_a_cpu_in_small_form(small: dict[str, Any]) -> None:
    assert list(small["parts"]) == ["study", *gpu.PARTS]
    assert {(row["task"], row["variant"]) for row in rows(small, "models")} == {
        (task, variant) for task in ("face", "emotion") for variant in VARIANTS
    }
    measured = {(row["variant"], row["precision"]): row for row in rows(small, "precisions")}
    assert measured.keys() == {(name, kind) for name in VARIANTS for kind in ("auto", "32-true", "16-mixed")}
    for (_, kind), row in measured.items():
        assert row["left_out"] == "needs a GPU" if kind == "16-mixed" else 0.05 < row["share"] < 5
    assert len(rows(small, "compiled")) == 3 and len(rows(small, "waits")) == 7
    for part in ("twice", "streamed", "resumed"):
        assert all(row["apart"] == 0 for row in rows(small, part)), part
    assert all("cache" in " ".join(row) for row in rows(small, "streamed") if row["variant"] == "vgg16")
    assert all(row["largest_difference"] < 1e-6 and row["pictures"] > 4 for row in rows(small, "agreement"))
    for name in gpu_page.BOUNDS:
        assert f"bound {name}: " in small["printed"]


@pytest.mark.slow
def test_the_page_has_a_table_of_each_part_or_says_that_nothing_is_measured(
    small: dict[str, Any], tmp_path: Path
) -> None:
    with chdir(tmp_path):
        bench.write()
        assert "## On a GPU\n\nNot measured: " in bench.PAGE.read_text(encoding="utf-8")
        write_json(bench.FOLDER / "gpu.json", small)
        bench.write()
        assert "Not measured: " in bench.PAGE.read_text(encoding="utf-8")  # figures of a CPU are none of a GPU's
        seen = small | {"machine": small["machine"] | {"gpu": "Some GPU", "gpu_memory_gb": 8}}
        write_json(bench.FOLDER / "gpu.json", seen)
        bench.write()
        page = bench.PAGE.read_text(encoding="utf-8")
    assert "(at most 180)" in page and "Some GPU (8 GB)" in page and "Killed after epoch" in page
    for head in ("| task | variant | train, s |", "| variant | precision |", "| training | waits", "| variant | twice"):
        assert head in page


def test_a_part_that_fails_is_named_and_the_others_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Study) -> list[Row]:
        raise RuntimeError("out of memory")

    def waiting(_: Study) -> list[Row]:
        return [{"what": "vgg16", "waits": "loop.py:100 loss.item()"}]

    monkeypatch.setattr("benchmarks.gpu_study.make", lambda small, until: Study(None, small, until))  # type: ignore[arg-type]
    parts: dict[str, gpu.Part] = {"broken": broken, "waits": waiting, "fine": lambda _: [{"what": "seen"}]}
    assert gpu.measure(tmp_path, True, parts) == 2
    printed = capsys.readouterr().out
    assert "broken: FAILED: RuntimeError: out of memory" in printed
    assert "waits: FAILED: vgg16 waits at loop.py:100 loss.item()" in printed and "fine: what seen" in printed
    results = json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))["parts"]
    assert results["broken"]["error"] and results["fine"]["rows"] == [{"what": "seen"}]
    section = gpu_page.section({"machine": gpu.description() | {"gpu": "G"}, "parts": results, "minutes": 0.0})
    assert "`broken` failed: RuntimeError: out of memory" in section
