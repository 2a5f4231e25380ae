"""Where, below a folder that came from elsewhere, the photos start."""

import os
from pathlib import Path

from stages.errors import StudyError
from stages.params import Layout
from stages.sources.folder import class_folders, is_hidden

DEPTH = 4


def settle(layout: Layout, root: Path) -> Path:
    """The uppermost folder that holds the label file or the class folders; else the root itself.

    Archives often wrap everything in one more folder, and shared folders hold other things
    beside the photos. Raises StudyError where two folders could be meant.
    """
    for depth in range(DEPTH):
        found = [folder for folder in _at_depth(root, depth) if _fits(layout, folder)]
        if len(found) > 1:
            names = ", ".join(str(folder.relative_to(root)) for folder in found)
            raise StudyError(f"photos are laid out in several folders, and only one can be read: {names}")
        if found:
            return found[0]
    return root


def _fits(layout: Layout, folder: Path) -> bool:
    return (folder / layout.labels).is_file() or class_folders(layout, folder) is not None


def _at_depth(root: Path, depth: int) -> list[Path]:
    found = []
    for place, folders, _ in os.walk(root):
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        level = len(Path(place).relative_to(root).parts)
        if level == depth:
            found.append(Path(place))
            folders.clear()
    return found
