"""`make torture`: stages killed at random moments, faults of the machine, hostile input; writes docs/reliability.md.

    python -m tests.torture [--kills 50] [--seed 0]

Each kill is followed by a `dvc repro` whose outputs are held, byte by byte, against those of a run that nothing
ended.
"""

import argparse
import csv
import hashlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import yaml

from benchmarks.machine import description
from facestudy.project.files import write_text
from tests.clone import ROOT, run, shrunk_clone
from tests.traces import SCRATCH

PAGE = Path("docs/reliability.md")
REPORTS = Path("docs/public-reports.csv")
OUTCOMES = {
    "mended": "went wrong and are mended",
    "right before": "were right before",
    "told": "lie in DVC and are told",
}
FUZZ_INPUTS = 2500  # for each reader
# They hold seconds and memory, or what a killed process had under way, which .dvcignore keeps from being an output.
CHANGING = re.compile(r"report\.(md|html)$|\.part(/|$)|(^|/)\.[^/]+\.tmp$")
MENDED = "dvc.lock cut off by DVC, which writes it in place; mended by `git checkout dvc.lock`"
Row = tuple[str, int, int]  # what was tried, how often, and how often it ended as if nothing had happened


def stage_process(dvc: int) -> list[psutil.Process]:
    """The Python processes that a `dvc` has running."""
    return [child for child in psutil.Process(dvc).children(recursive=True) if "python" in child.name()]


def _signal_dvc(sign: signal.Signals) -> Callable[[int], None]:
    return lambda dvc: os.kill(dvc, sign)


def _signal_stage(sign: signal.Signals) -> Callable[[int], None]:
    def act(dvc: int) -> None:
        for process in stage_process(dvc)[:1]:
            process.send_signal(sign)

    return act


WAYS: dict[str, Callable[[int], None]] = {
    "dvc killed (SIGKILL)": _signal_dvc(signal.SIGKILL),
    "dvc terminated (SIGTERM)": _signal_dvc(signal.SIGTERM),
    "all interrupted, as by Ctrl-C (SIGINT)": lambda dvc: os.killpg(dvc, signal.SIGINT),
    "its stage killed, as when memory gives out (SIGKILL)": _signal_stage(signal.SIGKILL),
    "its stage terminated (SIGTERM)": _signal_stage(signal.SIGTERM),
    "all killed (SIGKILL)": lambda dvc: os.killpg(dvc, signal.SIGKILL),
}


def snapshot(study: Path) -> dict[str, str]:
    """A hash of every output, and of dvc.lock but for what holds seconds."""
    found = {}
    for folder in ("data", "metrics", "plots"):
        for path in (study / folder).rglob("*"):
            name = path.relative_to(study).as_posix()
            if path.is_file() and not CHANGING.search(name) and not name.startswith(SCRATCH):
                found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    lock = yaml.safe_load((study / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    found["dvc.lock"] = json.dumps({name: entry for name, entry in lock.items() if name != "report"}, sort_keys=True)
    return found


def left_running(study: Path) -> dict[psutil.Process, str]:
    """Processes that still work in the study's folder, and their commands."""
    found = {}
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()) == study and process.status() != psutil.STATUS_ZOMBIE:
                found[process] = " ".join(process.cmdline())[:100]
        except (psutil.Error, OSError):
            continue
    return found


def kill(study: Path, stage: str, way: str, delay: float, clean: dict[str, str]) -> str:
    """Run one stage, end it after `delay` seconds, repeat; what was lost, or "".

    Or "too late" where it had ended, or MENDED where README's remedy for a broken dvc.lock was needed.
    """
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "WANDB_MODE": "offline", "STUDY_RESUME_SHARE": "inf", "PATH": path}
    command = ["dvc", "repro", "--force", "--single-item", "--no-run-cache", stage]
    with tempfile.TemporaryFile() as told:
        process = subprocess.Popen(
            command, cwd=study, env=environment, stdout=told, stderr=told, start_new_session=True
        )
        try:
            process.wait(timeout=delay)
            return "too late"
        except subprocess.TimeoutExpired:
            WAYS[way](process.pid)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return "dvc does not end"
    deadline = time.monotonic() + 10
    while (running := left_running(study)) and time.monotonic() < deadline:
        time.sleep(0.2)
    if running:
        for process in running:
            process.kill()  # for this kill alone to be lost, and none after it
        return f"still running: {list(running.values())}"
    time.sleep(1)  # W&B names its folders by the second
    outcome = ""
    try:
        run(study, "dvc", "repro", "--no-run-cache")
    except AssertionError as error:
        if "'./dvc.lock'" not in str(error):
            return f"the next run fails: {str(error)[-600:]}"
        outcome = MENDED
        run(study, "git", "checkout", "-q", "dvc.lock")
        run(study, "dvc", "repro", "--no-run-cache")
    now = snapshot(study)
    other = sorted(name for name in clean.keys() | now.keys() if clean.get(name) != now.get(name))
    return f"other bytes: {other[:5]}" if other else outcome


def doubled_steps(study: Path) -> list[str]:
    """W&B steps that the offline files of one run tell twice."""
    steps: Counter[tuple[str, int]] = Counter()
    for path in study.glob("wandb/offline-run-*/*.wandb"):
        command = [str(Path(sys.executable).with_name("wandb")), "leet", "inspect", "--json", str(path)]
        told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        for line in told.splitlines():
            record: dict[str, Any] = json.loads(line) if line.startswith("{") else {}
            if record.get("type") == "history":
                steps[path.stem, record["history"]["step"]["num"]] += 1
    return [f"{name} step {step}" for (name, step), count in steps.items() if count > 1]


def kills(study: Path, number: int, seed: int) -> tuple[list[Row], list[str]]:
    """So many kills, and more until each stage was met, where that many can, of a study that ran and is committed.

    Rows by way and by stage, and losses.
    """
    chance = random.Random(seed)
    clean = snapshot(study)
    stages = list(yaml.safe_load((study / "dvc.lock").read_text(encoding="utf-8"))["stages"])
    kinds = sorted({stage.split("@")[0] for stage in stages} - {"check"})
    tried: Counter[str] = Counter()
    survived: Counter[str] = Counter()
    lost: list[str] = []
    done = attempt = 0
    longest = dict.fromkeys(kinds, 4.0)
    all_of_them = kinds if number >= len(kinds) else []
    while (unmet := [kind for kind in all_of_them if not tried[f"stage {kind}"]]) or done < number:
        kind = "train" if attempt % 3 == 0 else kinds[attempt % len(kinds)]
        if done >= number:  # of a short stage most kills come too late
            kind = unmet[0]
        way = list(WAYS)[done % len(WAYS)]
        attempt += 1
        stage = chance.choice([name for name in stages if name.split("@")[0] == kind])
        delay = chance.uniform(0.8, longest[kind] + 3)
        outcome = kill(study, stage, way, delay, clean)
        if outcome == "too late":
            longest[kind] = max(1.0, min(longest[kind], delay - 3))
            continue
        longest[kind] = min(12.0, longest[kind] * 1.2)
        done += 1
        print(f"{done}: {stage}, {way}, after {delay:.1f} s: {outcome or 'survived'}", flush=True)
        whole = outcome in ("", MENDED)
        for name in (way, f"stage {kind}", *([f"of these: {MENDED}"] if outcome == MENDED else [])):
            tried[name] += 1
            survived[name] += whole
        if not whole:
            lost.append(f"{stage}, {way}, after {delay:.1f} s: {outcome}")
    lost += doubled_steps(study)
    return [
        (name, tried[name], survived[name]) for name in sorted(tried, key=lambda name: (name[:6] == "stage ", name))
    ], lost


def tests(*arguments: str, **environment: str) -> tuple[int, int]:
    """Tests of the suite that were tried and that passed; skipped ones are not tried."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-m", "not photos", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|error)", done.stdout)}
    if done.returncode or not counts.get("passed"):
        print(done.stdout[-3000:], done.stderr[-3000:])
    return max(1, sum(counts.values())), counts.get("passed", 0)  # where none ran, that is one loss


FAULTS = {
    "disk full, no permission, read-only, photos that go, memory, clock, Git, DVC's cache": ["tests/test_faults.py"],
    "network: silent, broken off, without end, wrong hash, hostile archives": ["tests/sources/test_archive.py"],
    "W&B that fails at start": ["tests/test_tracking.py"],
    "trainings killed, also on two processes": ["tests/training/test_resume.py"],
    "dvc ended, nothing left running": ["tests/test_process.py"],
}


def reported_inputs() -> list[dict[str, str]]:
    """The rows of docs/public-reports.csv: kinds of input that were tried by hand."""
    with (ROOT / REPORTS).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def public_reports() -> str:
    """What docs/reliability.md says of them."""
    rows = reported_inputs()
    counts = Counter(row["outcome"] for row in rows)
    addresses = sum(bool(row["report"]) for row in rows)
    outcomes = ", ".join(f"{counts[outcome]} {words}" for outcome, words in OUTCOMES.items())
    return f"""## Inputs from public reports

[public-reports.csv]({REPORTS.name}) lists {len(rows)} kinds of input with which users of other programs had trouble
({addresses} with the address of a report). Each was tried here by hand; the table says how, and which tests hold it:
{outcomes}.
"""


def main(number: int, seed: int) -> int:
    """Everything; returns the number of kinds of loss."""
    began = time.monotonic()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background of a shell, also by children
    rows: list[Row] = []
    for name, files in FAULTS.items():
        rows.append((name, *tests(*files)))
        print(rows[-1], flush=True)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        counted = Path(folder) / "count"
        wrong = tests("tests/test_fuzz.py", FUZZ_INPUTS=str(FUZZ_INPUTS), FUZZ_COUNT=str(counted))
        inputs = int(counted.read_text(encoding="utf-8"))
    rows.append(("broken and hostile inputs", inputs, inputs - (wrong[0] - wrong[1])))
    print(rows[-1], flush=True)
    with tempfile.TemporaryDirectory(prefix="torture-") as folder:
        study = Path(folder).resolve()
        shrunk_clone(study)
        run(study, "dvc", "repro")
        run(study, "git", "add", "-A")
        run(study, "git", "commit", "-qm", "first run")
        killed, lost = kills(study, number, seed)
    lost += [f"{name}: {tried - survived}" for name, tried, survived in rows if tried > survived]
    rows += killed
    done = sum(tried for name, tried, _ in killed if name.startswith("stage "))
    _write(rows, lost, done, time.monotonic() - began)
    print(PAGE.read_text(encoding="utf-8"))
    return len(lost)


def _write(rows: list[Row], lost: list[str], number: int, seconds: float) -> None:
    lines = [f"| {name} | {tried:,} | {survived:,} | {tried - survived} |" for name, tried, survived in rows]
    machine = description()
    table = "\n".join(["| what | tried | survived | lost |", "| --- | --- | --- | --- |", *lines])
    losses = "\n".join(f"- {each}" for each in lost) or "None."
    text = f"""# Reliability

Made by `make torture`. A stage, or `dvc` itself, is ended at {number} random moments, each time followed by a
`dvc repro` whose outputs must equal those of a run that nothing ended, byte for byte (but for the report,
which holds seconds); nothing may go on running, and no step may stand twice in W&B's offline files.
What a killed process had under way may stay behind, as a hidden file, `.*.part` of a stage or `.*.tmp` of DVC:
neither DVC nor Git counts it. Faults and inputs are those of the tests; an input survives where the answer is a
result or an error of ours, within 5 seconds and 1 GB.

{table}

## Losses

{losses}

{public_reports()}
{machine["date"]}, {machine["cores"]} cores of {machine["processor"]}, {seconds / 60:.0f} minutes.
"""
    write_text(PAGE, text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    sys.exit(min(100, main(given.kills, given.seed)))
