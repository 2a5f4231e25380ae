"""The queue of experiments of docs/scaling.md: two clones, a bare repository and a remote that both see."""

import re
import time
from pathlib import Path

import pytest

from tests.scheduling.toy import dvc, toy
from tests.services.commands import commands, with_values
from tests.services.test_remotes import shell

pytestmark = pytest.mark.services
SECTION = commands("scaling.md", "A queue of experiments on several machines")
IDENTITY = {
    f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in (("NAME", "t"), ("EMAIL", "t@t"))
}


def test_what_one_machine_tries_another_sees_and_need_not_run(tmp_path: Path) -> None:
    stages = {
        "data": {"cmd": "echo data > data.txt", "outs": ["data.txt"]},
        "rated": {"cmd": "echo ${rate} > rate.txt", "deps": ["data.txt"], "params": ["rate"], "outs": ["rate.txt"]},
    }
    first = toy(tmp_path / "first", stages, params="rate: 1\n")
    shell(first, "git init -q --bare ../origin.git && git remote add origin ../origin.git && git push -qu origin HEAD")
    remote, push, reproduce, *queue = SECTION
    values = {"/mnt/shared/study": str(tmp_path / "store")}
    shell(first, with_values([remote], values), **IDENTITY)
    shell(first, "dvc repro && git add -A", **IDENTITY)
    shell(first, "\n".join(["set -eo pipefail", push, reproduce]), **IDENTITY)

    shell(tmp_path, "git clone -q origin.git second && cd second && git pull -q && dvc pull --run-cache")
    second = tmp_path / "second"
    grid, start, share = queue
    shell(second, with_values([grid], {"variants.resnet18_scratch.lr=0.0005,0.001,0.002": "rate=2,3"}), **IDENTITY)
    shell(second, start, **IDENTITY)
    end = time.monotonic() + 120
    while (status := dvc(second, "queue", "status")).count("Success") < 2:
        assert "Failed" not in status and time.monotonic() < end, status
        time.sleep(0.5)
    shell(second, share, **IDENTITY)

    shell(first, "dvc exp pull origin && dvc pull --run-cache", **IDENTITY)
    assert len(re.findall(r"^\w+-\w+", dvc(first, "exp", "list", "--name-only"), re.MULTILINE)) == 2
    assert "cached - skipping run" in shell(first, "dvc exp run -S rate=3", **IDENTITY)
