"""A zip or tar of photos, from a URL or a file, whose SHA-256 is known; then read as a folder."""

import http.client
from pathlib import Path
from urllib.request import urlopen

from tqdm import tqdm

from facestudy.errors import StudyError
from facestudy.project.files import sha256
from facestudy.project.sections import Archive
from facestudy.sources import network
from facestudy.sources.layout import find_layout_root
from facestudy.sources.unpacking import MAX_BYTES, unpack

BLOCK = 2**20


def fetch(settings: Archive, folder: Path) -> Path:
    """Get, verify and unpack the archive below `folder`; returns where its layout starts.

    Raises StudyError without a location or hash, for another hash, and for an unsafe archive.
    """
    location = settings.location
    if location is None:
        raise StudyError("data.archive.location is null; set it to the URL or the path of a zip or tar")
    if "://" in location:
        path = folder / "archive"
        _download(location, path)
    else:
        path = Path(location)
        if not path.is_file():
            raise StudyError(f"data.archive.location: there is no file {location}")
    digest = sha256(path)
    if settings.sha256 is None:
        raise StudyError(
            f"data.archive.sha256 is null, so nobody could tell if {location} changed. "
            f"If you trust what is there now, put this line under data.archive in params.yaml:\n    sha256: {digest}"
        )
    if digest != settings.sha256:
        raise StudyError(
            f"{location} is not the archive that params.yaml names: "
            f"its SHA-256 is\n    {digest}, data.archive.sha256 is\n    {settings.sha256}"
        )
    unpacked = folder / "unpacked"
    unpack(path, unpacked)
    return find_layout_root(settings, unpacked)


def _download(url: str, path: Path) -> None:
    # Not by pooch, which sets no limit on the bytes that a server sends.
    if not url.startswith(("http://", "https://")):
        raise StudyError(f"data.archive.location: {url} is neither an http(s) URL nor a path")
    network.reach(url)
    try:
        with urlopen(url, timeout=network.SILENCE) as response, path.open("wb") as file:
            length = int(response.headers.get("Content-Length") or 0)
            received = 0
            with tqdm(desc="downloading", total=length or None, unit="B", unit_scale=True, disable=None) as progress:
                while received <= MAX_BYTES >= length and (block := response.read(BLOCK)):
                    received += file.write(block)
                    progress.update(len(block))
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise network.unreachable(url, error) from None
    if max(received, length) > MAX_BYTES:
        raise StudyError(f"{url} is refused: it has more than {MAX_BYTES} bytes")
    if length and received != length:
        raise network.unreachable(url, f"the connection broke after {received} of {length} bytes")
