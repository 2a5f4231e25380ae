"""What a visitor of the page uploads: nobody else's to read, and gone when the page is."""

import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from tests.exports import copy_exports
from tests.inputs import ROOT, paint


@pytest.fixture(scope="module")
def study(exports: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    copy_exports(exports, folder)
    return folder


@contextmanager
def page(study: Path, temporary: Path) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """The page as a process, and its address; killed at the end if it still runs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "facestudy.cli", "demo", "--port", str(port)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)}
    with subprocess.Popen(command, cwd=study, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            address = process.stdout.readline().split()[0]
            with requests.Session() as session:  # the page prints its address just before it listens
                session.mount("http://", HTTPAdapter(max_retries=Retry(connect=8, backoff_factor=0.1)))
                session.get(address, timeout=60)
            yield process, address
        finally:
            process.kill()


def upload(address: str, photo: Path) -> None:
    with photo.open("rb") as file:
        answer = requests.post(f"{address}/gradio_api/upload", files={"files": file}, timeout=60)
    assert answer.status_code == 200, answer.text


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("end", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM])
def test_an_upload_lies_in_a_folder_of_its_own_which_goes_with_the_page(
    study: Path, tmp_path: Path, end: signal.Signals
) -> None:
    photo = paint(study / "visitor.png", 1)
    with page(study, tmp_path) as (process, address):
        upload(address, photo)
        assert files_below(tmp_path)
        for top in tmp_path.iterdir():
            assert stat.S_IMODE(top.stat().st_mode) == 0o700, top
        process.send_signal(end)
        process.wait(30)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_what_a_killed_page_left_goes_at_the_next_start_and_a_running_one_keeps_its_own(
    study: Path, tmp_path: Path
) -> None:
    photo = paint(study / "visitor.png", 2)
    with page(study, tmp_path) as (killed, address):
        upload(address, photo)
        killed.kill()
        killed.wait(30)
    left = set(files_below(tmp_path))
    assert left
    with page(study, tmp_path) as (first, address):
        assert left.isdisjoint(files_below(tmp_path))
        upload(address, photo)
        running = set(files_below(tmp_path))
        with page(study, tmp_path):
            assert running <= set(files_below(tmp_path))
            first.send_signal(signal.SIGHUP)
            first.wait(30)
            assert running.isdisjoint(files_below(tmp_path))
