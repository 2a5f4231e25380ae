"""A DVC repository of stand-in stages, which `facestudy run` schedules as it does those of the study."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.inputs import ROOT

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def toy(folder: Path, stages: dict[str, Any], params: str = "{}\n") -> Path:
    """Fill an empty folder with a repository of these stages and return it."""
    (folder / "stages").mkdir(parents=True)
    for name in ("__init__", "check"):  # the check that the command runs first
        (folder / "stages" / f"{name}.py").touch()
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}), encoding="utf-8")
    (folder / "params.yaml").write_text(params, encoding="utf-8")
    (folder / ".gitignore").write_text(".run/\n", encoding="utf-8")
    quiet = [["dvc", "config", f"core.{name}", "false"] for name in ("analytics", "check_update")]  # as in the study
    for command in (["git", "init", "-q"], ["dvc", "init", "-q"], *quiet, ["git", "add", "-A"]):
        subprocess.run(command, cwd=folder, env=ENVIRONMENT, check=True)
    settings = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    subprocess.run(["git", *settings, "commit", "-qm", "toy"], cwd=folder, env=ENVIRONMENT, check=True)
    return folder


def waiting(name: str, seconds: float, needs: list[str] | None = None, say: str = "done") -> dict[str, Any]:
    """A stage that waits and then writes NAME.txt."""
    command = f"sleep {seconds} && echo {say} > {name}.txt"
    return {"cmd": command, "outs": [f"{name}.txt"]} | ({"deps": [f"{each}.txt" for each in needs]} if needs else {})


def started(folder: Path, *options: str, **environment: str) -> "subprocess.Popen[str]":
    """`facestudy run` in a folder, as the leader of a session of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "facestudy.cli", "run", *options],
        cwd=folder,
        env=ENVIRONMENT | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # noqa: PLW1509 (`nohup make test` ignores it)
    )


def ran(folder: Path, *options: str, **environment: str) -> str:
    """What it printed; it ended well."""
    status, printed = ended(folder, *options, **environment)
    assert status == 0, printed
    return printed


def failed(folder: Path, *options: str, **environment: str) -> str:
    """What it printed; it ended with an error."""
    status, printed = ended(folder, *options, **environment)
    assert status == 1 and "Traceback" not in printed, printed
    return printed


def ended(folder: Path, *options: str, **environment: str) -> tuple[int, str]:
    process = started(folder, *options, **environment)
    printed = process.communicate(timeout=300)[0]
    return process.returncode, printed


def dvc(folder: Path, *command: str) -> str:
    done = subprocess.run(["dvc", *command], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
