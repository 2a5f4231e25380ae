"""A public Google Drive folder, by gdown; archives in it are unpacked; then read as a folder."""

import hashlib
import re
import shutil
import sys
from pathlib import Path

import gdown
import requests
from gdown.exceptions import DownloadError, FileURLRetrievalError
from tqdm import tqdm

from facestudy.errors import StudyError
from facestudy.project.sections import Drive
from facestudy.sources import network
from facestudy.sources.folder import tree
from facestudy.sources.layout import find_layout_root
from facestudy.sources.unpacking import ENDINGS, BrokenArchiveError, unpack

RETRIES = 2
TIMEOUT = (network.SILENCE, network.SILENCE)  # to connect, and between bytes
SHOWN = 5  # refused files, in a message
# gdown reads Drive's pages, and trips where a page is another than it expects: the last four.
FAULTS = (DownloadError, requests.RequestException, OSError, ValueError, AttributeError, TypeError, LookupError)


def fetch(settings: Drive, folder: Path) -> Path:
    """Copy the Drive folder below `folder`, unpack its archives; returns where its layout starts.

    Files that an earlier call has copied, until its connection broke or Drive refused others, are not copied again.
    Raises StudyError if Drive cannot be reached or refuses a file, an archive is unsafe, or the layout is ambiguous.
    """
    network.reach(settings.url)
    print(f"copying {settings.url}", flush=True)
    unfinished = folder / (hashlib.sha256(settings.url.encode()).hexdigest()[:16] + network.UNFINISHED)
    for other in folder.iterdir():
        if other != unfinished:
            shutil.rmtree(other)
    _copy(settings.url, unfinished)
    return prepare(settings, unfinished.rename(folder / "drive"))


def _copy(url: str, folder: Path) -> None:
    """Copy what is missing in `folder`; StudyError where not all of it can be had, which names the reason."""
    try:
        listed = gdown.download_folder(
            url=url, output=str(folder), quiet=True, use_cookies=False, timeout=TIMEOUT, skip_download=True
        )
    except FAULTS as error:
        raise _unreachable(url, error) from None
    files = {Path(file.local_path): str(file.id) for file in listed if not isinstance(file, str)}
    for left in folder.rglob("*"):  # of downloads that broke off, or removed from Drive meanwhile
        if left.is_file() and left not in files:
            left.unlink()
    refused: dict[Path, str] = {}
    received = 0
    with tqdm(files.items(), desc="copying", unit="file", disable=None) as progress:
        for path, number in progress:
            if path.is_file():
                continue

            def show(size: int, total: int | None) -> None:
                progress.set_postfix_str(f"{(received + size) / 1e6:.1f} MB")  # noqa: B023 (called in this round)

            path.parent.mkdir(parents=True, exist_ok=True)
            address = f"https://drive.google.com/uc?id={number}"
            try:
                gdown.download(
                    address, str(path), quiet=True, use_cookies=False, timeout=TIMEOUT, retries=RETRIES, progress=show
                )
            except FileURLRetrievalError as error:  # Drive's own page in place of the file
                refused[path] = _reason(error)
            except FAULTS as error:
                raise _unreachable(address, error) from None
            else:
                received += path.stat().st_size
    if refused:
        raise _refused(url, {path.relative_to(folder): reason for path, reason in refused.items()}, len(files))


def _unreachable(url: str, error: Exception) -> StudyError:
    """The error for an address, or for the one that it led to."""
    cause = error.__cause__ or error  # gdown wraps what ended its last retry
    request = getattr(cause, "request", None)
    return network.unreachable(getattr(request, "url", None) or url, str(error).partition("\n")[0].rstrip("."))


def _reason(error: FileURLRetrievalError) -> str:
    """What Drive's page says, out of gdown's paragraphs around it."""
    found = re.search(r"file url:(.*)You may still be able", str(error), re.DOTALL)
    return " ".join((found[1] if found else str(error)).split())


def _refused(url: str, reasons: dict[Path, str], total: int) -> StudyError:
    lines = [f"Google Drive refuses {len(reasons)} of the {total} files of {url}"]
    lines += [f"  {path}: {reason}" for path, reason in list(reasons.items())[:SHOWN]]
    lines += ["  ..."] if len(reasons) > SHOWN else []
    lines.append(
        f"The other {total - len(reasons)} are kept, and the next `dvc repro` copies those that are missing. After too "
        "many downloads, Drive gives a file out again within a day; a file that is not shared needs the right "
        "`Anyone with the link`. Or copy the folder by a browser, and set data.source: folder"
    )
    return StudyError("\n".join(lines))


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
