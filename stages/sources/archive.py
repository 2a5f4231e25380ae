"""A zip or tar of photos, from a URL or a file, whose SHA-256 is known; then read as a folder."""

import hashlib
import http.client
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

from stages.errors import StudyError
from stages.params import Archive
from stages.sources import network
from stages.sources.layouts import settle
from stages.sources.unpacking import MOST_BYTES, unpack

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
    with path.open("rb") as file:
        seen = hashlib.file_digest(file, "sha256").hexdigest()
    if settings.sha256 is None:
        raise StudyError(
            f"data.archive.sha256 is null, so nobody could tell if {location} changed. "
            f"If you trust what is there now, put this line under data.archive in params.yaml:\n    sha256: {seen}"
        )
    if seen != settings.sha256:
        raise StudyError(
            f"{location} is not the archive that params.yaml names: "
            f"its SHA-256 is\n    {seen}, data.archive.sha256 is\n    {settings.sha256}"
        )
    unpacked = folder / "unpacked"
    unpack(path, unpacked)
    return settle(settings, unpacked)


def _download(url: str, path: Path) -> None:
    if not url.startswith(("http://", "https://")):
        raise StudyError(f"data.archive.location: {url} is neither an http(s) URL nor a path")
    network.reach(url)
    try:
        with urlopen(url, timeout=network.SILENCE) as response, path.open("wb") as file:
            length = int(response.headers.get("Content-Length") or 0)
            received = 0
            while received <= MOST_BYTES >= length and (block := response.read(BLOCK)):
                received += file.write(block)
            if max(received, length) > MOST_BYTES:
                raise StudyError(f"{url} is refused: it has more than {MOST_BYTES} bytes")
    except HTTPError as error:
        raise StudyError(f"cannot get {url}: the server answers {error.code} {error.reason}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise network.unreachable(url, error) from None
    if length and path.stat().st_size != length:
        raise network.unreachable(url, f"the connection broke after {path.stat().st_size} of {length} bytes")
