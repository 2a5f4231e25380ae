"""`facestudy run --slurm` on stand-in stages, through Debian's Slurm on loopback."""

import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.scheduling.slurm import AVAILABLE, NEEDED, slurm
from tests.scheduling.test_run import below, set_seconds, until
from tests.scheduling.toy import dvc, failed, ran, started, toy, waiting

pytestmark = [pytest.mark.services, pytest.mark.skipif(not AVAILABLE, reason=NEEDED)]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with slurm(tmp_path_factory.mktemp("slurm")) as environment:
        yield environment


def asked(cluster: dict[str, str], *command: str) -> str:
    return subprocess.run(command, env=os.environ | cluster, capture_output=True, text=True, check=True).stdout


def job_of(study: Path, cluster: dict[str, str], stage: str) -> str:
    """The number of a stage's job, once it runs."""
    number: list[str] = []

    def runs() -> bool:
        listed = asked(cluster, "squeue", "--me", "--noheader", f"--name={stage}", "--states=running", "--format=%i")
        number[:] = listed.split()
        return bool(number) and "sleep" in below(study)

    until(runs)
    return number[0]


def test_stages_run_as_jobs_and_dvc_finds_nothing_left(tmp_path: Path, cluster: dict[str, str]) -> None:
    stages = {"first": waiting("first", 0), "last": waiting("last", 0, needs=["first"])}
    study, here = toy(tmp_path / "slurm", stages), toy(tmp_path / "here", stages)
    dvc(study, "config", "core.hardlink_lock", "true")
    (study / "slurm.yaml").write_text("default: {timeout_min: 5}\nlast: {cpus_per_task: 2, comment: from the file}\n")
    printed = ran(study, "--slurm", **cluster)
    assert printed.count("running (Slurm job") == 2 and "Data and pipelines are up to date." in printed
    described = asked(
        cluster, "scontrol", "--oneliner", "show", "job", printed.split("last: running (Slurm job ")[1][0]
    )
    assert "NumCPUs=2" in described and "Comment=from" in described and "TimeLimit=00:05:00" in described
    ran(here)
    assert yaml.safe_load((study / "dvc.lock").read_text()) == yaml.safe_load((here / "dvc.lock").read_text())
    assert "running" not in ran(study)  # and back: what Slurm ran is up to date here


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("default: {partition: nowhere}", "sbatch refuses long: .*partition"),
        ("lonk: {partition: main}", "lonk: no such stage"),
        ("long: {nodes: 2}", "nodes: a stage is one process"),
        ("long: {timeout_min: soon}", "slurm.yaml"),
        ("long: {setup: module load cuda}", "setup: 'module load cuda' is no list"),
        ("long: [1, 2]", "slurm.yaml is wrong:\n  long"),
        ("long: {", "slurm.yaml is not readable as YAML"),
    ],
    ids=["partition", "stage", "nodes", "minutes", "setup", "list", "yaml"],
)
def test_a_wrong_slurm_yaml_is_named_before_or_when_it_is_refused(
    text: str, message: str, tmp_path: Path, cluster: dict[str, str]
) -> None:
    study = toy(tmp_path / "toy", {"long": waiting("long", 0)})
    (study / "slurm.yaml").write_text(text, encoding="utf-8")
    assert re.search(message, failed(study, "--slurm", **cluster))


def test_options_of_this_machine_are_refused_with_slurm(tmp_path: Path, cluster: dict[str, str]) -> None:
    study = toy(tmp_path / "toy", {"long": waiting("long", 0)})
    assert "--jobs is for this machine" in failed(study, "--slurm", "--jobs", "2", **cluster)


def test_a_job_that_is_killed_fails_its_stage_and_the_next_call_goes_on(
    tmp_path: Path, cluster: dict[str, str]
) -> None:
    study = toy(tmp_path / "toy", {"long": waiting("long", 600), "other": waiting("other", 0)})
    process = started(study, "--slurm", **cluster)
    asked(cluster, "scancel", "--signal=KILL", "--full", job_of(study, cluster, "long"))
    printed = process.communicate(timeout=120)[0]
    assert process.returncode == 1 and "long: see .run/logs/long.log" in printed and "other: done" in printed, printed
    set_seconds(study, "long", 0)
    assert "long: done" in ran(study, "--slurm", **cluster)


@pytest.mark.parametrize("links", ["false", "true"], ids=["locks", "links in place of locks"])
def test_a_preempted_job_is_submitted_again(links: str, tmp_path: Path, cluster: dict[str, str]) -> None:
    stage = {"cmd": "test -e second || { touch second; sleep 600; } && echo done > long.txt", "outs": ["long.txt"]}
    study = toy(tmp_path / "toy", {"long": stage})
    dvc(study, "config", "core.hardlink_lock", links)
    process = started(study, "--slurm", **cluster)
    number = job_of(study, cluster, "long")
    asked(cluster, "scontrol", "requeue", number)
    until(lambda: "JobState=PENDING" in asked(cluster, "scontrol", "show", "job", number))
    asked(cluster, "scontrol", "update", f"JobId={number}", "StartTime=now")  # it would wait for two minutes
    printed = process.communicate(timeout=180)[0]
    assert process.returncode == 0 and "long: done" in printed, printed


def test_jobs_outlive_the_command_and_the_next_one_adopts_or_cancels_them(
    tmp_path: Path, cluster: dict[str, str]
) -> None:
    study = toy(tmp_path / "toy", {"long": {"cmd": "sleep 20 && echo done > long.txt", "outs": ["long.txt"]}})
    process = started(study, "--slurm", **cluster)
    number = job_of(study, cluster, "long")
    process.kill()
    process.communicate(timeout=30)
    time.sleep(2)
    assert number in asked(cluster, "squeue", "--me", "--noheader", "--states=running", "--format=%i").split()
    for options in ([], ["--slurm", "-S", "rate=2"]):
        assert "1 jobs of an earlier `facestudy run --slurm`" in failed(study, *options, **cluster)
    printed = ran(study, "--slurm", **cluster)
    assert f"long: running (Slurm job {number})" in printed and "long: done" in printed

    (study / "long.txt").unlink()
    process = started(study, "--slurm", **cluster)
    number = job_of(study, cluster, "long")
    process.kill()
    process.communicate(timeout=30)
    ran(study, "--cancel", **cluster)
    until(lambda: not asked(cluster, "squeue", "--me", "--noheader", "--states=running", "--format=%i").split(), 30)
    assert "long" in dvc(study, "status")
