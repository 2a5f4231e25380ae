"""What a user sees of a copy under way, at a terminal and where nobody looks."""

import hashlib
import os
import pty
import shutil
import subprocess
import sys
import termios
from pathlib import Path
from threading import Thread

import pytest

from tests.drive_server import drive_server
from tests.inputs import ROOT, labelled_folder, write_params
from tests.loopback import serving


def downloaded(folder: Path, terminal: bool, **environment: str) -> str:
    """What `download` writes to standard error, all of its bars too."""
    ours, theirs = pty.openpty() if terminal else os.pipe()
    if terminal:
        termios.tcsetwinsize(theirs, (24, 100))
    parts: list[bytes] = []

    def read() -> None:
        while True:
            try:
                part = os.read(ours, 10_000)
            except OSError:  # the end, of a terminal
                part = b""
            if not part:
                return
            parts.append(part)

    reader = Thread(target=read)
    reader.start()
    done = subprocess.run(
        [sys.executable, "-m", "stages.download"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", **environment},
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        check=False,
    )
    os.close(theirs)
    reader.join()
    os.close(ours)
    text = b"".join(parts).decode()
    assert done.returncode == 0, text
    return text


@pytest.mark.slow
@pytest.mark.parametrize("source", ["drive", "archive", "git"])
def test_a_copy_shows_how_far_it_is_where_somebody_looks(source: str, tmp_path: Path) -> None:
    photos, study = tmp_path / "photos", tmp_path / "study"
    labelled_folder(photos, faces=4, emotions=2)
    (tmp_path / "certificates").mkdir()
    study.mkdir()
    with serving(tmp_path) as url, drive_server(photos, tmp_path / "certificates") as drive:
        packed = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", photos))
        digest = hashlib.sha256(packed.read_bytes()).hexdigest()
        if source == "git":
            who = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
            for command in (["init", "-q"], ["add", "-A"], [*who, "commit", "-qm", "photos"]):
                subprocess.run(["git", *command], cwd=photos, check=True)
        settings: dict[str, dict[str, str | None]] = {
            "drive": {"url": drive.url},
            "archive": {"location": f"{url}/packed.zip", "sha256": digest},
            "git": {"url": str(photos), "revision": "HEAD", "labels": "labels.csv", "columns": None},
        }
        own = {f"data.{source}.{key}": "DELETE" if value is None else value for key, value in settings[source].items()}
        write_params(study, {"data.source": source, **own})
        shown = downloaded(study, terminal=True, **drive.environment)
        words = {"drive": "copying: 100%", "archive": "downloading: 100%", "git": "file"}[source]
        assert words in shown and "\r" in shown
        index = (study / "data" / "raw" / "index.csv").read_bytes()
        assert downloaded(study, terminal=False, **drive.environment) == ""
        assert (study / "data" / "raw" / "index.csv").read_bytes() == index
