"""`facestudy run` on stand-in stages, through its command line."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from tests.inputs import ROOT
from tests.scheduling.toy import dvc, failed, ran, started, toy, waiting

HALF = {f"half{number}": waiting(f"half{number}", 0.5) for number in range(3)}


def below(folder: Path) -> list[str]:
    """The names of all processes that work in a folder, this one left out."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(folder.resolve()) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.name())
        except psutil.Error:
            continue
    return found


def until(reached: Callable[[], Any], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < end, "did not come about"
        time.sleep(0.1)


def test_stages_run_side_by_side_and_in_order_and_nothing_is_left(tmp_path: Path) -> None:
    study = toy(tmp_path / "toy", {"last": waiting("last", 0, needs=list(HALF)), **HALF})
    printed = ran(study, "--jobs", "3")
    lines = printed.splitlines()
    assert max(lines.index(f"{name}: running (1 threads)") for name in HALF) < min(
        index for index, line in enumerate(lines) if ": done" in line
    )
    assert "in all; the stages one after another" in printed and "Data and pipelines are up to date." in printed
    assert "Running stage 'half0'" in (study / ".run/logs/half0.log").read_text()
    assert list(yaml.safe_load((study / "dvc.lock").read_text())["stages"]["last"]["deps"]) and not below(study)
    again = ran(study, "--jobs", "3")
    assert "running" not in again and "up to date" in again


@pytest.mark.slow
def test_what_the_run_cache_has_is_restored(tmp_path: Path) -> None:
    study = toy(tmp_path / "toy", {"first": waiting("first", 0), "second": waiting("second", 0, needs=["first"])})
    ran(study)
    for name in ("dvc.lock", "second.txt"):
        (study / name).unlink()
    assert "second: restored (" in ran(study)
    assert (study / "second.txt").read_text() == "done\n"


def test_a_failure_stops_what_needs_it_and_nothing_else(tmp_path: Path) -> None:
    stages = {
        "bad": {"cmd": "echo 'the reason'; exit 3", "outs": ["bad.txt"]},
        "after": waiting("after", 0, needs=["bad"]),
        "later": waiting("later", 0, needs=["after"]),
        "good": waiting("good", 1),
        "next": waiting("next", 0, needs=["good"]),
    }
    study = toy(tmp_path / "toy", stages)
    printed = failed(study, "--jobs", "2")
    assert "error" in printed and "bad: see .run/logs/bad.log" in printed
    assert "the reason" in (study / ".run/logs/bad.log").read_text()
    assert all(f"{name}: not run" in printed for name in ("after", "later"))
    assert (study / "next.txt").exists() and not (study / "after.txt").exists()


@pytest.mark.parametrize("sign", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_an_interrupt_ends_all_and_the_next_call_goes_on(tmp_path: Path, sign: signal.Signals) -> None:
    study = toy(tmp_path / "toy", {"short": waiting("short", 0), "long": waiting("long", 600, needs=["short"])})
    process = started(study)
    until(lambda: "sleep" in below(study))
    process.send_signal(sign)
    printed = process.communicate(timeout=30)[0]
    assert process.returncode == 1 and "interrupted" in printed and "Traceback" not in printed
    assert "`facestudy run` continues from here" in printed
    assert not below(study)
    set_seconds(study, "long", 0)
    assert "short: " not in ran(study).split("in all")[0].replace("short: unchanged", "")


@pytest.mark.slow
@pytest.mark.parametrize("whole_session", [False, True], ids=["kill -9", "a lost terminal"])
def test_nothing_goes_on_after_the_command_has_gone(tmp_path: Path, whole_session: bool) -> None:
    study = toy(tmp_path / "toy", {"long": waiting("long", 600)})
    process = started(study)
    until(lambda: "sleep" in below(study))
    if whole_session:
        os.killpg(process.pid, signal.SIGHUP)
    else:
        process.kill()
    process.communicate(timeout=30)
    until(lambda: not below(study), seconds=10)
    set_seconds(study, "long", 0)
    assert "long: done" in ran(study)


@pytest.mark.slow
def test_an_interrupt_ends_the_check_and_the_closing_repro_too(tmp_path: Path) -> None:
    later = f"if [ -e {tmp_path}/seen ]; then exec sleep 600; fi; touch {tmp_path}/seen"
    study = toy(tmp_path / "toy", {"later": {"cmd": later, "always_changed": True}})
    interrupted_beside(study, "sleep")
    (study / "stages" / "check.py").write_text("import os; os.execvp('sleep', ['sleep', '600'])", encoding="utf-8")
    interrupted_beside(study, "sleep")


def interrupted_beside(study: Path, program: str) -> None:
    process = started(study)
    until(lambda: program in below(study))
    process.terminate()
    printed = process.communicate(timeout=30)[0]
    assert process.returncode == 1 and "interrupted" in printed and "Traceback" not in printed
    assert not below(study)


@pytest.mark.slow
def test_what_a_stage_prints_is_not_taken_for_dvcs_words(tmp_path: Path) -> None:
    count = f"echo once >> {tmp_path}/count"
    stages = {
        "locked": {"cmd": f"{count}; echo 'Unable to acquire lock. Most likely another DVC'; exit 1", "outs": ["l"]},
        "cached": {"cmd": "echo 'the model is cached - skipping run'; echo 1 > c", "outs": ["c"]},
        "same": {"cmd": 'echo "it didn\'t change, skipping"; echo 1 > s', "outs": ["s"]},
    }
    printed = failed(toy(tmp_path / "toy", stages), "--jobs", "2")
    assert "cached: done" in printed and "same: done" in printed and "locked: see" in printed
    assert (tmp_path / "count").read_text() == "once\n"


def set_seconds(study: Path, name: str, seconds: float) -> None:
    path = study / "dvc.yaml"
    pipeline = yaml.safe_load(path.read_text())
    pipeline["stages"][name]["cmd"] = f"sleep {seconds} && echo done > {name}.txt"
    path.write_text(yaml.safe_dump(pipeline))


@pytest.mark.slow
def test_a_second_command_in_the_folder_is_refused(tmp_path: Path) -> None:
    study = toy(tmp_path / "toy", {"long": waiting("long", 600)})
    process = started(study)
    until(lambda: "sleep" in below(study))
    assert "another `facestudy run` is at work in this folder" in failed(study)
    process.terminate()
    process.communicate(timeout=30)


@pytest.mark.slow
def test_a_parameter_is_changed_as_by_dvc_exp_run(tmp_path: Path) -> None:
    stage = {"cmd": "echo ${rate} > rate.txt", "params": ["rate"], "outs": ["rate.txt"]}
    study = toy(tmp_path / "toy", {"rated": stage}, params="rate: 1  # a comment\n")
    printed = ran(study, "-S", "rate=2")
    assert (study / "rate.txt").read_text() == "2\n" and "a comment" in (study / "params.yaml").read_text()
    assert "rated: done" in printed and dvc(study, "exp", "list", "--name-only").strip()
    assert "-S: one value for each key" in failed(study, "-S", "rate=1,2")
    for wrong in ("rote=1", "rate", "rate=[1", "rate=${none}"):
        assert "error: -S: " in failed(study, "-S", wrong)
    assert "'rote'" in failed(study, "-S", "~rote")
    assert "this machine shows" in failed(study, "-S", "rate=9", "--gpus", "500")
    assert "rate: 2 " in (study / "params.yaml").read_text()


@pytest.mark.slow
def test_a_preset_is_run_side_by_side(tmp_path: Path) -> None:
    stage = {"cmd": "echo ${preprocess.size} ${seed} > size.txt", "params": ["preprocess.size", "seed"]}
    params = (ROOT / "params.yaml").read_text(encoding="utf-8")
    study = toy(tmp_path / "toy", {"size": stage | {"outs": ["size.txt"]}}, params=params)
    (study / "presets").mkdir()
    (study / "presets" / "large.yaml").write_text("preprocess: {size: 96}\n", encoding="utf-8")
    ran(study, "--preset", "large", "-S", "seed=5")
    assert (study / "size.txt").read_text() == "96 5\n"
    assert "presets/ has large" in failed(study, "--preset", "small")


@pytest.mark.parametrize(
    ("asked", "size"),
    [
        ("train: {gpus_per_node: 1}", 224),
        ("default: {gres: 'gpu:1'}", 224),
        ("default: {gpus_per_node: 1}\ntrain: {gpus_per_node: 0}", 96),
        ("export: {gpus_per_node: 1}", 96),
    ],
)
def test_on_slurm_its_settings_say_whether_a_preset_has_a_gpu(tmp_path: Path, asked: str, size: int) -> None:
    """No Slurm is found here; by then, the parameters are set."""
    params = (ROOT / "params.yaml").read_text(encoding="utf-8")
    study = toy(tmp_path / "toy", {"one": {"cmd": "true"}}, params=params)
    shutil.copytree(ROOT / "presets", study / "presets")
    (study / "slurm.yaml").write_text(asked, encoding="utf-8")
    (tmp_path / "programs").mkdir()
    (tmp_path / "programs" / "git").symlink_to(str(shutil.which("git")))
    path = f"{tmp_path / 'programs'}:{Path(sys.executable).parent}"
    assert "lurm" in failed(study, "--preset", "your-photos", "--slurm", PATH=path)
    assert f"  size: {size} " in (study / "params.yaml").read_text(encoding="utf-8")


def test_a_folder_without_a_study_is_named(tmp_path: Path) -> None:
    assert "run this in the folder of the study" in failed(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_lock_file_that_a_kill_cut_short_is_named_with_what_to_do(tmp_path: Path) -> None:
    study = toy(tmp_path / "toy", {"first": waiting("first", 0)})
    ran(study)
    path = study / "dvc.lock"
    path.write_text(path.read_text().partition("md5: ")[0] + "md", encoding="utf-8")
    assert "git checkout dvc.lock" in failed(study)


@pytest.mark.slow
def test_the_list_of_dvc_that_a_kill_cut_short_stops_nothing(tmp_path: Path) -> None:
    """It holds the paths in use; two stages are at work when it is lost, and one alone when it is lost again."""
    wait = {"cmd": "until test -e go; do sleep 0.2; done && echo done > two.txt", "outs": ["two.txt"]}
    stages = {"one": waiting("one", 4), "two": wait}
    for stage in stages.values():
        stage["deps"] = ["input.txt"]
    stages["last"] = waiting("last", 0, needs=["one"])
    study = toy(tmp_path / "toy", stages)
    (study / "input.txt").touch()
    process = started(study, "--jobs", "2")
    assert process.stdout is not None
    until(lambda: below(study).count("sleep") == 2)
    (study / ".dvc/tmp/rwlock").write_text('{"read": {', encoding="utf-8")
    limit = threading.Timer(120, process.kill)
    limit.start()
    before = ""
    while "last: done" not in before:  # `one` has met it and had it removed, and no DVC but that of `two` is at work
        line = process.stdout.readline()
        assert line, before
        before += line
    limit.cancel()
    (study / ".dvc/tmp/rwlock").write_text('{"read": {', encoding="utf-8")
    (study / "go").touch()
    printed = process.communicate(timeout=120)[0]
    assert process.returncode == 0 and "two: done" in printed, before + printed
    for name in ("one", "two"):
        assert "Unable to read RWLock-file" in (study / f".run/logs/{name}.log").read_text()


def test_a_launcher_of_the_shell_is_refused(tmp_path: Path) -> None:
    study = toy(tmp_path / "toy", {"first": waiting("first", 0)})
    assert "use --nproc-per-node" in failed(study, STUDY_LAUNCHER="srun python")


def test_trainings_get_gpus_and_all_others_none(tmp_path: Path) -> None:
    """GPUs as the environment names them; a training waits for one that is free."""
    say = 'echo "$CUDA_VISIBLE_DEVICES" > ${item}.txt; sleep 1'
    stages = {
        "train": {"matrix": {"which": [0, 1, 2]}, "cmd": say.replace("${item}", "train${item.which}"),
                  "outs": ["train${item.which}.txt"]},
        "split": {"cmd": say.replace("${item}", "split"), "outs": ["split.txt"]},
    }  # fmt: skip
    study = toy(tmp_path / "toy", stages)
    printed = ran(study, "--jobs", "4", CUDA_VISIBLE_DEVICES="3,7")
    seen = sorted((study / f"train{number}.txt").read_text().strip() for number in range(3))
    assert set(seen) == {"3", "7"} and (study / "split.txt").read_text() == "\n"
    assert printed.index("split: running") < printed.index(": done")  # behind a training that waits for a GPU
    assert printed.count("running (GPU") == 3
    assert "--gpus 3: this machine shows 2" in failed(study, "--gpus", "3", CUDA_VISIBLE_DEVICES="3,7")


@pytest.mark.slow
def test_threads_are_shared_out(tmp_path: Path) -> None:
    """A training has all cores, and others their share; with one job nothing is set, as under `dvc repro`."""
    cores = len(os.sched_getaffinity(0))
    stages: dict[str, Any] = {
        name: {"cmd": f'echo "threads $OMP_NUM_THREADS" > {name}.txt', "outs": [f"{name}.txt"]}
        for name in ("train", "split")
    }
    for jobs, expected in ((cores, "threads 1"), (1, "threads")):
        study = toy(tmp_path / f"toy{jobs}", stages)
        environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
        command = ["env", "-u", "OMP_NUM_THREADS", "facestudy", "run", "--jobs", str(jobs)]
        subprocess.run(command, cwd=study, env=environment, capture_output=True, check=True)
        assert (study / "train.txt").read_text().strip() == "threads"
        assert (study / "split.txt").read_text().strip() == (expected if cores > 1 else "threads")
