"""Where, below a folder that came from elsewhere, the photos start."""

from pathlib import Path

from facestudy.errors import StudyError
from facestudy.project.photo_folders import is_clutter
from facestudy.project.sections import Layout
from facestudy.sources.folder import class_folders

DEPTH = 4


def find_layout_root(layout: Layout, root: Path) -> Path:
    """The uppermost folder that holds the label file or the class folders; else the root itself.

    Archives often wrap everything in one more folder, and shared folders hold other things beside the photos. Raises
    StudyError where two folders could be meant.
    """
    level = [root]
    for _ in range(DEPTH):
        fitting = [folder for folder in level if _fits(layout, folder)]
        if len(fitting) > 1:
            names = ", ".join(str(folder.relative_to(root)) for folder in fitting)
            raise StudyError(f"photos are laid out in several folders, and only one can be read: {names}")
        if fitting:
            return fitting[0]
        below = (path for folder in level for path in sorted(folder.iterdir()))
        level = [path for path in below if path.is_dir() and not path.is_symlink() and not is_clutter(path.name)]
    return root


def _fits(layout: Layout, folder: Path) -> bool:
    return (folder / layout.labels).is_file() or class_folders(layout, folder) is not None
