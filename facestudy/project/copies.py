"""Copies of the repository in which the files that Git ignores are missing."""

from pathlib import Path

WHAT_WORKS = (
    "This is a copy of the repository without the files that Git ignores, such as photos in data/photos: "
    "an experiment of `dvc exp run --temp` or `--queue`, or a git worktree. "
    "docs/experiments.md, under 'Experiments with your photos', shows how it finds them."
)


def hint() -> str:
    """What to do about photos that are not there, where the current folder is such a copy; else empty."""
    experiment = "/.dvc/tmp/exps/" in Path.cwd().as_posix()
    worktree = Path(".git").is_file()
    return f"\n{WHAT_WORKS}" if experiment or worktree else ""
