"""What Git knows of files: the commit that last changed them, and whether they have changed since."""

import subprocess
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import PurePosixPath

FORMAT = "--format=%h of %cs, %s"


@dataclass(frozen=True)
class Commit:
    """A commit by its short hash, its day and its subject."""

    text: str

    @property
    def short(self) -> str:
        """Hash and day."""
        return self.text.partition(", ")[0]


class Git:
    """The repository of the current folder, as it is when it is first asked."""

    def __init__(self) -> None:
        self._run = cache(_run)

    @cached_property
    def there(self) -> bool:
        """Whether the current folder is in a Git repository with a commit."""
        return bool(self._run("rev-parse", "--verify", "--quiet", "HEAD"))

    def last_change(self, path: str) -> Commit | None:
        """The last commit that changed a file or folder; None where no commit has it."""
        return self._first("log", "-1", FORMAT, "--", path)

    def dirty(self, path: str) -> bool:
        """Whether a file or folder differs from the last commit."""
        return any(changed.is_relative_to(path) for changed in self._changed)

    @cached_property
    def _changed(self) -> list[PurePosixPath]:
        listed = self._run("status", "--porcelain", "-z", "--untracked-files=all", "--no-renames")
        return [PurePosixPath(entry[3:]) for entry in listed.split("\0") if entry]

    def tracks(self, path: str) -> bool:
        """Whether Git has a file or folder."""
        return bool(self._run("ls-files", "--", path))

    def recorded(self, value: str, path: str) -> Commit | None:
        """The first commit in which a file holds a text; None where no commit does."""
        return self._first("log", "--reverse", FORMAT, f"-S{value}", "--", path)

    def file(self, commit: Commit, path: str) -> str:
        """A file as a commit has it; empty where it has none."""
        return self._run("show", f"{commit.text.partition(' ')[0]}:{path}")

    def _first(self, *arguments: str) -> Commit | None:
        lines = self._run(*arguments).splitlines()
        return Commit(lines[0]) if lines else None


def _run(*arguments: str) -> str:
    """What a Git command prints; nothing where it fails, as outside a repository."""
    command = ["git", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)  # noqa: S603
    except FileNotFoundError:
        return ""
    return done.stdout if done.returncode == 0 else ""
