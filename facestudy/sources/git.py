"""A folder of a Git or DVC repository at a commit, by `dvc get`; then read as a folder."""

import os
import subprocess
import sys
from pathlib import Path

from facestudy.errors import StudyError
from facestudy.project.sections import GitFolder
from facestudy.sources import network

ANSWER_LIMIT = 25  # seconds in which the repository must answer at all
COPY_LIMIT = 3600  # seconds
# No question to a user who may not be there, and no wait for a server that has gone silent.
QUIET = {"GIT_TERMINAL_PROMPT": "0", "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oConnectTimeout=15"}


def fetch(settings: GitFolder, folder: Path) -> Path:
    """Copy the folder at its commit below `folder`; raises StudyError where there is no such thing.

    Links are not followed: `dvc get` writes each as a small text that holds its target.
    """
    url = settings.url
    if url.startswith("-"):
        raise StudyError(f"data.git.url: {url!r} is no address of a repository")
    if "://" not in url and "@" not in url and not Path(url).is_dir():
        raise StudyError(f"data.git.url: there is no repository {url}")
    _run(["git", "ls-remote", "--", url, "HEAD"], url, ANSWER_LIMIT)
    target = folder / "repository"
    get = [sys.executable, "-m", "dvc", "get", url, settings.path, "--rev", settings.revision, "--out", str(target)]
    print(f"copying {settings.path} of {url} at {settings.revision}", flush=True)
    # DVC shows how far it is where standard error is a terminal, as it is for this process.
    _run(get, f"{settings.path} at {settings.revision} of {url}", COPY_LIMIT, shown=sys.stderr.isatty())
    return target


def _run(command: list[str], what: str, limit: int, shown: bool = False) -> None:
    """Raises StudyError with the command's last lines, or where they are `shown` already, without them."""
    environment = {**os.environ, **QUIET, "DVC_NO_ANALYTICS": "1"}
    error = None if shown else subprocess.PIPE
    try:
        done = subprocess.run(  # noqa: S603 - a list, no shell
            command, env=environment, stdout=subprocess.PIPE, stderr=error, text=True, errors="replace",
            timeout=limit, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise network.unreachable(what, f"no answer within {limit} seconds") from None
    except FileNotFoundError:
        raise StudyError("git is not installed; data.source: git needs it") from None
    if done.returncode:
        lines = [line for line in (done.stderr or "").splitlines() if line.strip()]
        said = "its message is above" if shown else f"exit status {done.returncode}"
        raise network.unreachable(what, "; ".join(lines[-2:]) or said)
