"""Remotes on S3 (moto) and over SSH (sshd), both on loopback: what one clone pushes, another needs not run."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.inputs import ROOT
from tests.scheduling.slurm import free_ports
from tests.scheduling.toy import ENVIRONMENT, toy, waiting
from tests.services.commands import commands, with_values

PACKAGES, MOTO, SSHD = ROOT / ".venv-services", ROOT / ".venv-moto" / "bin" / "moto_server", "/usr/sbin/sshd"
pytestmark = [pytest.mark.services, pytest.mark.skipif(not PACKAGES.exists(), reason="`make services` installs it")]


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return toy(tmp_path / "toy", {"first": waiting("first", 0), "second": waiting("second", 0, needs=["first"])})


def shell(folder: Path, script: str, **environment: str) -> str:
    """What a script printed, with the packages of requirements-services.txt beside those of .venv."""
    settings = ENVIRONMENT | {"PYTHONPATH": f"{PACKAGES}:{ROOT}"} | environment
    done = subprocess.run(["bash", "-c", script], cwd=folder, env=settings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def pushed_and_pulled(study: Path, script: str) -> None:
    """The script pushes; another clone without outputs, lock file or cache then runs no stage."""
    shell(study, "dvc repro")
    shell(study, script)
    other = study.parent / "other"
    shell(study, f"git clone -q . {other} && cp .dvc/config .dvc/config.local {other}/.dvc/")
    assert not (other / "dvc.lock").exists()
    printed = shell(other, "dvc pull --run-cache --allow-missing || dvc fetch --run-cache; dvc repro")
    assert "Stage 'second' is cached - skipping run" in printed and "Running stage 'second'" not in printed
    assert (other / "second.txt").read_text() == "done\n"


@contextmanager
def running(command: list[str], log: Path) -> Iterator[None]:
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file)
        try:
            yield
        finally:
            process.terminate()
            process.wait(timeout=30)


def until_open(port: int) -> None:
    end = time.monotonic() + 60
    while subprocess.run(
        ["bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port}"], capture_output=True, check=False
    ).returncode:
        assert time.monotonic() < end
        time.sleep(0.2)


def test_a_remote_on_s3(study: Path, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    address = f"http://127.0.0.1:{port}"
    values = {
        "s3://bucket/study": "s3://faces/study",
        "https://storage.example.org": address,
        "KEY": "a",
        "SECRET": "b",
    }
    with running([str(MOTO), "--host", "127.0.0.1", "--port", str(port)], tmp_path / "moto.log"):
        until_open(port)
        subprocess.run(["curl", "-sf", "-X", "PUT", f"{address}/faces"], check=True)  # the bucket
        pushed_and_pulled(study, with_values(commands("experiments.md", "A remote on S3"), values))


@pytest.mark.skipif(shutil.which(SSHD) is None, reason="needs sshd (apt install openssh-server)")
def test_a_remote_over_ssh(study: Path, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)], check=True)
    shutil.copy(tmp_path / "user.pub", tmp_path / "authorized_keys")
    options = {
        "Port": port, "ListenAddress": "127.0.0.1", "HostKey": tmp_path / "host", "StrictModes": "no",
        "AuthorizedKeysFile": tmp_path / "authorized_keys", "PidFile": tmp_path / "sshd.pid", "UsePAM": "no",
        "PasswordAuthentication": "no", "Subsystem": "sftp internal-sftp",
    }  # fmt: skip
    settings = tmp_path / "sshd_config"
    settings.write_text("".join(f"{name} {value}\n" for name, value in options.items()), encoding="utf-8")
    Path("/run/sshd").mkdir(exist_ok=True)  # where sshd, as root, leaves its rights
    user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    values = {
        "ssh://user@host/srv/study": f"ssh://{user}@127.0.0.1:{port}{tmp_path}/store",
        "~/.ssh/id_ed25519": str(tmp_path / "user"),
    }
    with running([SSHD, "-D", "-e", "-f", str(settings)], tmp_path / "sshd.log"):
        until_open(port)
        pushed_and_pulled(study, with_values(commands("experiments.md", "A remote over SSH"), values))


def test_two_ray_workers_make_the_same_bytes(tmp_path: Path) -> None:
    """Preprocessing on a Ray cluster that this test starts, and here."""
    script = """
import sys
from pathlib import Path
from facestudy.faces import packing
from facestudy.project.parameters import load
from facestudy.synthetic import photo_sets
folder = Path(sys.argv[1])
table = photo_sets.collect_pretraining(4, 12, ["happy", "sad"], 96, 0, folder)
packing.CHUNK, packing.WINDOW = 2, 4
packing.pack([folder / name for name in table["file"]], load().preprocess, 1, Path(sys.argv[2]))
"""
    made = []
    ray = f"{sys.executable} -c 'from ray.scripts.scripts import main; main()'"
    for backend in ("threading", "ray"):
        target = tmp_path / f"{backend}.npy"
        photos = tmp_path / backend
        photos.mkdir()
        settings = {"JOBLIB_BACKEND": backend, "RAY_ADDRESS": "auto", "RAY_TMPDIR": "/tmp", "TMPDIR": "/tmp"}
        if backend == "ray":
            shell(tmp_path, f"{ray} start --head --num-cpus=2 --include-dashboard=false", **settings)
        try:
            shell(ROOT, f"{sys.executable} -c '{script}' {photos} {target}", **settings)
        finally:
            if backend == "ray":
                shell(tmp_path, f"{ray} stop", **settings)
        made.append(target.read_bytes())
    assert made[0] == made[1]
    assert len(made[1]) > 12 * 64 * 64 * 3
