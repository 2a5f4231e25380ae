"""A public Google Drive folder, by gdown; archives in it are unpacked; then read as a folder."""

import shutil
import sys
from pathlib import Path

import gdown
import requests
from gdown.exceptions import DownloadError

from facestudy.project.sections import Drive
from facestudy.sources import network
from facestudy.sources.folder import tree
from facestudy.sources.layout import find_layout_root
from facestudy.sources.unpacking import ENDINGS, BrokenArchiveError, unpack

RETRIES = 2


def fetch(settings: Drive, folder: Path) -> Path:
    """Copy the Drive folder below `folder`, unpack its archives; returns where its layout starts.

    Raises StudyError if Drive cannot be reached, an archive is unsafe, or the layout is ambiguous.
    """
    target = folder / "drive"
    network.reach(settings.url)
    print(f"copying {settings.url}", flush=True)
    timeout = (network.SILENCE, network.SILENCE)
    try:
        gdown.download_folder(
            url=settings.url, output=str(target), quiet=True, use_cookies=False, timeout=timeout, retries=RETRIES
        )
    except (DownloadError, requests.RequestException, OSError, ValueError, AttributeError, TypeError) as error:
        # The last two: gdown reads Drive's page, and trips where the page is another than it expects.
        raise network.unreachable(settings.url, error) from None
    return prepare(settings, target)


def prepare(settings: Drive, root: Path) -> Path:
    """Unpack the archives of a copied folder, each into a folder of its name, and print what is there.

    A broken one is passed over with a message: a shared folder may hold others' files, which nobody here can mend.
    """
    named = (path for path in root.rglob("*") if path.name.lower().endswith(ENDINGS))
    for archive in sorted(path for path in named if path.is_file()):
        stem = archive.with_name(archive.name.split(".")[0] or archive.name)
        packed = archive.with_name(".packed") / archive.name  # aside, since the folder may take its name
        packed.parent.mkdir(exist_ok=True)
        archive.rename(packed)
        target = archive if stem.exists() else stem
        try:
            unpack(packed, target)
        except BrokenArchiveError as fault:
            shutil.rmtree(target, ignore_errors=True)
            print(f"left out: {fault}; if photos are in it, get it whole and run `dvc repro` again", file=sys.stderr)
        shutil.rmtree(packed.parent)
    print(f"found there:\n{tree(root)}")
    return find_layout_root(settings, root)
