"""What lies in a folder of photos beside the photos: clutter of systems, and what neither DVC nor a stage can read."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from facestudy.errors import printable
from facestudy.project import paths

# Names that systems and programs give to their own files and folders, in lower case; those that start with a dot
# (._x, .AppleDouble, .Trashes, .thumbnails, .stfolder, .dropbox.cache ...) need no entry.
CLUTTER = {
    *("__macosx", "network trash folder", "temporary items", "thevolumesettingsfolder", "icon\r"),  # macOS
    *("$recycle.bin", "recycler", "system volume information"),  # Windows
    *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini"),
    "lost+found",  # Linux
    *("@eadir", "#recycle", "#snapshot", "@tmp", "@sharebin"),  # Synology
    *("@recycle", "@recently-snapshot", "@transcode"),  # QNAP
    *("trashbox", "~snapshot"),  # Buffalo, NetApp
    *("picasa.ini", "thumbnails-digikam.db", "__pycache__"),
}
CLUTTER_STARTS = (".", "~$", "synophoto_thumb_", "synofile_thumb_")
LEFT_OUT_BY_DVC = {".git", ".hg", ".dvc"}  # within the repository
SHOWN = 3  # names of a kind in a message

LINKED_FOLDER = (
    "a link to a folder: a change behind it would go unnoticed. Put the folder itself in its place, "
    "or name a path without such links (the path may itself be a link)"
)
DANGLING_LINK = "a link whose target is not there: bring the target back, or remove the link"
NO_FILE = "no file but a pipe, socket or device, for which DVC would wait without end: move it away"
BAD_NAME = (
    "a name that is not in UTF-8, which DVC cannot write down: rename it "
    "(`convmv -r -f latin1 -t utf8 --notest FOLDER` renames all that came from an older Windows or Linux)"
)
CLOSED_FOLDER = "a folder that may not be opened: give yourself the right to it, or move it away"


def is_clutter(name: str) -> bool:
    """Whether a name is a system's or program's own, not the user's."""
    return name.lower().startswith(CLUTTER_STARTS) or name.lower() in CLUTTER


def obstacles(folder: Path) -> list[str]:
    """What below a folder cannot be read, or not soundly: a line for each kind, with the first names and what to do.

    Links to folders, into which DVC does not look, and folders without permission, which it passes over, count unless
    they are clutter; dangling links, pipes, sockets, devices and names that are not UTF-8, at which it fails or hangs,
    count wherever it looks. The folder itself may be a link.
    """
    names: dict[str, list[str]] = {}
    for path, kind in _found(folder, _unseen(folder), clutter=False):
        names.setdefault(kind, []).append(printable(path))
    lines = []
    for kind, found in sorted(names.items()):
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        lines.append(f"{', '.join(found[:SHOWN])}{more}: {kind}")
    return lines


def _unseen(folder: Path) -> Callable[[str], bool]:
    """Whether neither DVC nor a stage looks at what has a name, and into it, below a folder."""
    absolute = Path(os.path.abspath(folder))  # noqa: PTH100 - without `..`, and not behind a link, as DVC sees it
    if absolute.is_relative_to(paths.FETCHING.absolute()):  # no dependency
        return is_clutter
    return LEFT_OUT_BY_DVC.__contains__ if absolute.is_relative_to(Path.cwd()) else lambda _: False


def _found(folder: Path, unseen: Callable[[str], bool], clutter: bool) -> Iterator[tuple[str, str]]:
    """Path and kind of each obstacle below a folder; `clutter`: this folder is some, or lies in it."""
    try:
        with os.scandir(folder) as listed:
            entries = sorted(listed, key=lambda entry: entry.name)
    except PermissionError:
        if not clutter:
            yield str(folder), CLOSED_FOLDER
        return
    for entry in entries:
        if unseen(entry.name):
            continue
        if not _is_utf8(entry.name):
            yield entry.path, BAD_NAME
        within = clutter or is_clutter(entry.name)
        if entry.is_dir(follow_symlinks=False):
            yield from _found(Path(entry.path), unseen, within)
        elif os.path.isdir(entry.path):  # noqa: PTH112 - unlike the others', false for a link to itself, no error
            if not within:
                yield entry.path, LINKED_FOLDER
        elif not os.path.isfile(entry.path):  # noqa: PTH113
            yield entry.path, NO_FILE if os.path.exists(entry.path) else DANGLING_LINK  # noqa: PTH110


def _is_utf8(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
