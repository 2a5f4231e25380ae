"""What Git knows of files: the commit that last changed them, and whether they have changed since."""

import subprocess
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import PurePosixPath

FORMAT = "%h of %cs, %s"


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
        self.words = cache(self._words)

    @cached_property
    def there(self) -> bool:
        """Whether the current folder is in a Git repository."""
        return bool(self._run("rev-parse", "--git-dir"))

    @cached_property
    def cut(self) -> bool:
        """Whether the history has a start before the one that is here: in a shallow clone."""
        return self._run("rev-parse", "--is-shallow-repository").strip() == "true"

    @cached_property
    def unknown(self) -> str:
        """Why it is not known which commit changed a file; empty where it is."""
        if not self.there:
            return "no Git here"
        if not self._run("rev-parse", "--verify", "--quiet", "HEAD"):
            return "no commit yet"
        return "the history of this clone is cut" if self.cut else ""

    def last_change(self, path: str) -> Commit | None:
        """The last commit that changed a file or folder; None where no commit has it, or where that is not known."""
        lines = [] if self.unknown else self._run("log", "-1", f"--format={FORMAT}", "--", path).splitlines()
        return Commit(lines[0]) if lines else None

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

    def _words(self, path: str) -> dict[str, tuple[int, Commit]]:
        """Every word that a file ever had, with the first commit that added it and that commit's place in the history.

        Empty where the history is not known.
        """
        options = ["--reverse", "-m", "--patch", "--unified=0", "--text", "--no-color", "--no-ext-diff"]
        log = "" if self.unknown else self._run("log", *options, f"--format=%x00{FORMAT}", "--", path)
        found: dict[str, tuple[int, Commit]] = {}
        for number, entry in enumerate(log.split("\0")[1:]):
            first, *lines = entry.splitlines()
            for word in (word for line in lines if line.startswith("+") for word in line[1:].split()):
                found.setdefault(word, (number, Commit(first)))
        return found

    def file(self, commit: Commit, path: str) -> str:
        """A file as a commit has it; empty where it has none."""
        return self._run("show", f"{commit.text.partition(' ')[0]}:{path}")


def _run(*arguments: str) -> str:
    """What a Git command prints; nothing where it fails, as outside a repository."""
    command = ["git", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)  # noqa: S603
    except FileNotFoundError:
        return ""
    return done.stdout if done.returncode == 0 else ""
