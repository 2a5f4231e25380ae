"""The default study: where its time goes from nothing, how long each way to run it takes, and its scoring alone."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from benchmarks.machine import spread
from benchmarks.measures import ROOT, WINDOWS, Row, python

TIMED = """#!/bin/sh
start=$(date +%s.%N)
{python} "$@"
code=$?
echo "$2 $start $(date +%s.%N)" >> {times}
exit $code
"""
RUN = [sys.executable, "-m", "facestudy.cli", "run", "--jobs", "2"]
BEFORE = "23d9e1c"  # before VGG16's last block learnt, and before `evaluate` scored in full precision
WAYS: dict[str, tuple[list[str], str]] = {  # command and revision
    f"dvc repro at {BEFORE}": (["dvc", "repro"], BEFORE),
    "facestudy run --jobs 2": (RUN, "HEAD"),
    "dvc repro": (["dvc", "repro"], "HEAD"),
    "facestudy run --jobs 2 --training-threads 1": ([*RUN, "--training-threads", "1"], "HEAD"),
}
PAIRS = 3
SCORING = ("evaluate", "export")
Life = tuple[str, float, float]  # module of a stage, and when its process started and ended


def stages() -> list[Row]:
    """The default run, one in which nothing changed, and what of the first is no stage's own work."""
    with TemporaryDirectory(prefix="bench-") as name:
        clone = from_nothing(Path(name), "HEAD")
        first, runs = timed(clone, ["dvc", "repro"])
        rows: list[Row] = [{"what": "nothing changed"}]
        rows[0]["seconds"] = spread([timed(clone, ["dvc", "repro"])[0] for _ in range(WINDOWS)])
        outside = first - sum(end - start for _, start, end in runs)
        rows.append({"what": "DVC itself", "runs": 1, "seconds": spread([outside])})
        for stage in dict.fromkeys(stage for stage, _, _ in runs):
            starts = []
            no_work = f"import {stage}; from facestudy.stage import main; main(lambda: None)"
            for _ in range(WINDOWS):
                began = time.perf_counter()
                python(clone, "-c", no_work)
                starts.append(time.perf_counter() - began)
            own = [end - start for name, start, end in runs if name == stage]
            rows.append({"what": stage, "runs": len(own), "whole": sum(own), "seconds": spread(starts)})
            outside += rows[-1]["seconds"]["median"] * len(own)
        rows.append({"what": "from nothing", "seconds": spread([first]), "outside": outside / first})
    return rows


def ways() -> list[Row]:
    """A row for each way: its seconds and, at HEAD, the outputs whose hashes are not those of `dvc repro`."""
    rows: list[Row] = []
    outputs: dict[str, dict[str, str]] = {}
    with TemporaryDirectory(prefix="bench-") as name:
        for number, (way, (command, revision)) in enumerate(WAYS.items()):
            clone = from_nothing(Path(name) / str(number), revision)
            seconds, runs = timed(clone, command)
            rows.append({"way": way, "seconds": seconds, "stages": len(runs)})
            print(f"{way}: {seconds:.0f} s", flush=True)
            if revision == "HEAD":
                outputs[way] = hashes(clone)
    for row in rows:
        own = outputs.get(row["way"])
        plain = outputs["dvc repro"]
        row["other_bytes"] = None if own is None else [path for path, of in own.items() if of != plain.get(path)]
    return rows


def scoring() -> list[Row]:
    """Seconds from the start of the first evaluation to the end of the last export, of a study trained before.

    One after another and side by side, in turns in one clone. A line more in the files of both stages makes DVC run
    them again, whatever it has in its cache.
    """
    seconds: dict[str, list[float]] = {"dvc repro": [], "facestudy run --jobs 2": []}
    with TemporaryDirectory(prefix="bench-") as name:
        clone = from_nothing(Path(name), "HEAD")
        print(f"from nothing: {timed(clone, WAYS['dvc repro'][0])[0]:.0f} s", flush=True)
        for number in range(PAIRS):
            for way, results in seconds.items():
                for stage in SCORING:
                    with (clone / "stages" / f"{stage}.py").open("a", encoding="utf-8") as file:
                        file.write(f"# {way}, {number}\n")
                own = [life for life in timed(clone, WAYS[way][0])[1] if life[0].removeprefix("stages.") in SCORING]
                results.append(max(end for _, _, end in own) - min(start for _, start, _ in own))
                print(f"{way}: {results[-1]:.0f} s", flush=True)
    plain = seconds["dvc repro"]
    return [
        {
            "way": way,
            "seconds": spread(results),
            "ratio": spread([own / other for own, other in zip(results, plain, strict=True)]),
        }
        for way, results in seconds.items()
    ]


def from_nothing(folder: Path, revision: str) -> Path:
    """A clone whose DVC knows no result: it would skip a stage whose inputs have the hashes that dvc.lock records."""
    clone = folder / "study"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    subprocess.run(["git", "checkout", "-q", revision], cwd=clone, check=True)
    shutil.rmtree(clone / "metrics")
    (clone / "dvc.lock").unlink()
    return clone


def timed(clone: Path, command: list[str]) -> tuple[float, list[Life]]:
    """Seconds of a command, and the lives of the stages' processes, by a `python` that notes them."""
    with TemporaryDirectory(prefix="bench-") as name:
        times, python = Path(name) / "times", Path(name) / "python"
        python.write_text(TIMED.format(python=sys.executable, times=times), encoding="utf-8")
        python.chmod(0o755)
        path = f"{name}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "WANDB_MODE": "offline"}
        began = time.perf_counter()
        subprocess.run(command, cwd=clone, env=environment, capture_output=True, check=True)
        seconds = time.perf_counter() - began
        lines = times.read_text(encoding="utf-8").splitlines() if times.exists() else []
    return seconds, [(stage, float(start), float(end)) for stage, start, end in map(str.split, lines)]


def hashes(clone: Path) -> dict[str, str]:
    """The hash of each output in dvc.lock, by its path."""
    lock = yaml.safe_load((clone / "dvc.lock").read_text(encoding="utf-8"))
    return {out["path"]: out["md5"] for stage in lock["stages"].values() for out in stage.get("outs", [])}
