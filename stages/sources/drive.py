"""A public Google Drive folder, by gdown; archives in it are unpacked; then read as a folder."""

from pathlib import Path

import gdown
import requests
from gdown.exceptions import DownloadError

from stages.params import Drive
from stages.sources import network
from stages.sources.folder import tree
from stages.sources.layouts import settle
from stages.sources.unpacking import is_archive, unpack

RETRIES = 2


def fetch(settings: Drive, folder: Path) -> Path:
    """Copy the Drive folder below `folder`, unpack its archives; returns where its layout starts.

    Raises StudyError if Drive cannot be reached, an archive is unsafe, or the layout is ambiguous.
    """
    target = folder / "drive"
    network.reach(settings.url)
    print(f"copying {settings.url}", flush=True)
    try:
        gdown.download_folder(
            url=settings.url,
            output=str(target),
            quiet=True,
            use_cookies=False,
            timeout=(network.SILENCE, network.SILENCE),
            retries=RETRIES,
        )
    except (DownloadError, requests.RequestException, OSError, ValueError, AttributeError, TypeError) as error:
        # The last two: gdown reads Drive's page, and trips where the page is another than it expects.
        raise network.unreachable(settings.url, error) from None
    return prepare(settings, target)


def prepare(settings: Drive, root: Path) -> Path:
    """Unpack the archives of a copied folder, each into a folder of its name, and show what is there."""
    for archive in sorted(path for path in root.rglob("*") if path.is_file() and is_archive(path)):
        stem = archive.with_name(archive.name.split(".")[0] or archive.name)
        packed = archive.rename(archive.with_name(f"{archive.name}.packed"))
        unpack(packed, archive if stem.exists() else stem)
        packed.unlink()
    print(f"found there:\n{tree(root)}")
    return settle(settings, root)
