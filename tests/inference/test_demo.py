"""The page to try the models on, as a visitor uses it."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.exports import copy_exports
from tests.inputs import ROOT
from tools.browser import CHROMIUM, NO_CHROMIUM, opened

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)


@pytest.fixture(scope="module")
def study(exports: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    copy_exports(exports, folder)
    pages = {"face": "the mistakes", "an_earlier_task": "of no model of the study"}
    for name in (*(f"mistakes/{task}/resnet18_scratch_0.html" for task in pages), "comparison/face.png"):
        (folder / "plots" / name).parent.mkdir(parents=True)
    for task, text in pages.items():
        page = folder / "plots" / "mistakes" / task / "resnet18_scratch_0.html"
        page.write_text(f"<h1>{text}</h1>", encoding="utf-8")
    Image.new("RGB", (300, 200), "navy").save(folder / "plots" / "comparison" / "face.png")
    (folder / "broken.jpg").write_bytes(b"no picture")
    Image.fromarray(np.full((200, 200, 3), 90, np.uint8)).save(folder / "wall.png")
    return folder


@pytest.fixture(scope="module")
def address(study: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "facestudy.cli", "demo", "--port", str(port)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=study, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[0]
        process.terminate()


def test_a_photo_is_answered_and_a_broken_one_leaves_the_page_alive(study: Path, address: str) -> None:
    with opened() as (page, faults):
        page.goto(address)
        page.get_by_label("Capture from camera").wait_for()  # the page is alive, and takes files
        page.set_input_files("input[type=file]", study / "photos" / "pretrain_00000.jpg")
        answers = page.locator("#answers")
        for title in ("ResNet18 from scratch", "ResNet18 pretrained"):
            shown = answers.get_by_text(title).locator("visible=true")
            shown.last.wait_for()
            assert shown.count() == 2
        assert answers.get_by_text("%").locator("visible=true").count() == 4
        maps = page.locator("#maps").get_by_text("face 1, ").locator("visible=true")
        maps.last.wait_for()
        assert maps.count() == 4
        for file, message in (
            ("broken.jpg", "This file cannot be read: not a picture"),
            ("wall.png", "No face was found"),
        ):
            page.get_by_label("Remove Image").first.click()
            page.set_input_files("input[type=file]", study / file)
            page.get_by_text(message).first.wait_for()
        page.get_by_role("tab", name="Mistakes").click()
        page.frame_locator("iframe[title=mistakes]").get_by_text("the mistakes").wait_for()
        page.get_by_role("tab", name="Curves").click()
        page.get_by_text("Face recognition", exact=True).last.wait_for()
        assert [line for line in faults if "http" in line and "127.0.0.1" not in line] == []


def test_the_page_is_bound_to_this_machine(address: str) -> None:
    port = int(address.rpartition(":")[2])
    own = {str(found[4][0]) for found in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)} - {"127.0.0.1"}
    for host in own:
        with pytest.raises(OSError), socket.create_connection((host, port), timeout=2):
            pass
    with socket.create_connection(("127.0.0.1", port), timeout=2):
        pass
