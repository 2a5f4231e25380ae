"""The file that a wrong name in a table may mean."""

from collections import defaultdict
from difflib import get_close_matches
from pathlib import Path, PurePosixPath

from facestudy.project.labels import label_form
from facestudy.project.photo_folders import is_clutter

MAX_SEARCHED = 10  # names that are compared with many files, letter by letter: seconds for 10,000 files


class Files:
    """The files of a folder, by what people get wrong in a name: its folder, its case, its ending."""

    def __init__(self, root: Path) -> None:
        paths = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
        self._names = sorted(path.as_posix() for path in paths if not is_clutter(path.name))
        self._by_form: defaultdict[str, list[str]] = defaultdict(list)
        for name in self._names:
            for form in _forms(name):
                self._by_form[form].append(name)
        self._searched = 0

    def nearest(self, name: str) -> str | None:
        """The path, relative to the root, whose name differs in folder, case or ending; else the most similar one."""
        alike = next((self._by_form[form] for form in _forms(name) if form in self._by_form), [])
        if len(alike) == 1:
            return alike[0]
        self._searched += 1
        if self._searched > MAX_SEARCHED:
            return alike[0] if alike else None
        similar = get_close_matches(name, alike, 1, cutoff=0) if alike else get_close_matches(name, self._names, 1)
        return similar[0] if similar else None


def _forms(name: str) -> list[str]:
    path = PurePosixPath(name)
    return [label_form(path.name), f"{label_form(path.stem)}."]
