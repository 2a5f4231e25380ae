"""The pictures of docs/screenshots/, of a study of drawn faces that has run.

    python -m tools.screenshots [REVISION...]

The revisions are those of `dvc plots diff`. Needs Chromium.
"""

import argparse
import os
import subprocess
import sys
import threading
import time
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

import uvicorn
from playwright.sync_api import Page

from facestudy.dvc_plots import pages
from facestudy.errors import StudyError
from facestudy.inference.demo_page import application
from facestudy.project import parameters, paths
from facestudy.stage import main as run
from facestudy.synthetic.photo_sets import collect_pretraining
from tools.browser import CHROMIUM, NO_CHROMIUM, opened

FOLDER = Path("docs/screenshots")
PORT = 7869
SEED = 7  # of the people on the photos, whom no stage has seen
WIDTH = 100  # of the terminal, in characters
TERMINAL = """<body style="margin: 0; width: max-content; background: #14181d; color: #e4e8ec">
<pre style="margin: 0; padding: 1.2em 1.5em; font: 15px/1.4 'DejaVu Sans Mono', monospace">{}</pre></body>"""


def screenshots(revisions: list[str]) -> None:
    """Write all pictures; StudyError without Chromium."""
    if CHROMIUM is None:
        raise StudyError(NO_CHROMIUM)
    settings = parameters.load()
    if settings.data.source != "sample":
        raise StudyError("data.source: pictures for everybody to see are made of drawn faces alone; take `sample`")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="screenshots-") as name:
        photos = Path(name) / "photos"
        collect_pretraining(4, 4, list(settings.data.sample.emotions), 256, SEED, photos)
        _terminal(photos)
        _report()
        _plots(revisions)
        _demo(sorted(photos.iterdir())[0])


def _save(page: Page, name: str, whole: bool = False) -> None:
    page.screenshot(path=FOLDER / f"{name}.png", full_page=whole)


def _terminal(photos: Path) -> None:
    command = [sys.executable, "-m", "facestudy.cli", "predict", "photos"]
    settings = {**os.environ, "PYTHONPATH": str(Path.cwd()), "COLUMNS": str(WIDTH)}
    for folder in (paths.DATA, paths.METRICS):  # the photos stand in a study, so that their names are short
        (photos.parent / folder).symlink_to(folder.absolute())
    answers = subprocess.run(
        command, cwd=photos.parent, env=settings, capture_output=True, text=True, check=True
    ).stdout
    with opened() as (page, _):
        page.set_content(TERMINAL.format(escape(f"$ facestudy predict photos\n{answers}")))
        page.locator("pre").screenshot(path=FOLDER / "terminal.png")


def _report() -> None:
    for name, width, height in (("report", 1280, 800), ("report-phone", 390, 844)):  # its first screen
        with opened(width, height) as (page, _):
            page.goto(paths.REPORT_HTML.absolute().as_uri())
            page.locator("h2#results").wait_for()
            _save(page, name)


def _plots(revisions: list[str]) -> None:
    with opened(1440, 960) as (page, _):
        page.goto(pages(revisions)[-1].absolute().as_uri())
        page.locator("canvas, svg.marks").first.wait_for()
        _save(page, "plots-diff")


def _demo(photo: Path) -> None:
    server = uvicorn.Server(uvicorn.Config(application(), host="127.0.0.1", port=PORT, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.1)
        with opened(1280, 900) as (page, _):
            page.goto(f"http://127.0.0.1:{PORT}")
            page.get_by_label("Capture from camera").wait_for()
            page.set_input_files("input[type=file]", photo)
            page.locator("#maps").get_by_text("face 1, ").locator("visible=true").last.wait_for()
            time.sleep(1)  # pictures fade in
            _save(page, "demo", whole=True)
    finally:
        server.should_exit = True
        thread.join()


if __name__ == "__main__":
    parser = argparse.ArgumentParser("python -m tools.screenshots", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("revisions", nargs="*", metavar="REVISION", help="as `dvc plots diff` takes them")
    run(screenshots, parser.parse_args().revisions)
