"""Copies of the repository, in which photos that Git ignores are missing."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from facestudy.errors import StudyError
from facestudy.project.parameters import load
from facestudy.sources.folder import collect
from stages.check import check
from tests.clone import run, shrunk_clone
from tests.inputs import ROOT, paint, write_params


def worktree(folder: Path) -> Path:
    main, copy = folder / "main", folder / "copy"
    subprocess.run(["git", "init", "-q", main], check=True)
    commit = ["-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "-q", "--allow-empty", "-m", "first"]
    subprocess.run(["git", "-C", main, *commit], check=True)
    subprocess.run(["git", "-C", main, "worktree", "add", "-q", copy], check=True)
    return copy


def experiment(folder: Path) -> Path:
    copy = folder / ".dvc" / "tmp" / "exps" / "standalone" / "tmp1"
    (copy / ".git").mkdir(parents=True)
    return copy


def plain(folder: Path) -> Path:
    (folder / ".git").mkdir()
    return folder


@pytest.mark.parametrize(("make", "told"), [(worktree, True), (experiment, True), (plain, False)])
def test_missing_photos_are_explained_in_a_copy_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], Path], told: bool
) -> None:
    copy = make(tmp_path)
    monkeypatch.chdir(copy)
    write_params(copy, {"data.source": "folder"})
    with pytest.raises(StudyError, match="no folder data/photos") as no_folder:
        check()
    (copy / "data" / "photos").mkdir(parents=True)
    (copy / "data" / "photos" / "README.md").touch()  # which Git has
    with pytest.raises(StudyError, match="no layout") as no_photos:
        collect(load().data.folder, Path("data/photos"))
    for caught in (no_folder, no_photos):
        assert ("without the files that Git ignores" in str(caught.value)) == told
    page = (ROOT / "docs" / "experiments.md").read_text(encoding="utf-8")
    assert "## Experiments with your photos" in page


@pytest.mark.slow
@pytest.mark.parametrize("way", ["--copy-paths", "outside", "dvc add"])
def test_an_experiment_finds_photos_in_each_way_that_is_documented(tmp_path: Path, way: str) -> None:
    clone = tmp_path / "study"
    clone.mkdir()
    shrunk_clone(clone)
    place = {"--copy-paths": clone / "data" / "photos", "outside": tmp_path / "mine", "dvc add": clone / "photos"}[way]
    for number in range(4):
        paint(place / "face" / ("anna", "other")[number % 2] / f"{number}.png", number)
    more = ["-S", f'data.folder.path="{place if way == "outside" else place.relative_to(clone)}"']
    if way == "--copy-paths":
        more += ["--copy-paths", "data/photos/face"]
    if way == "dvc add":
        run(clone, "dvc", "add", "photos")
        run(clone, "git", "add", "photos.dvc", ".gitignore")
        run(clone, "git", "commit", "-qm", "Photos")
    keys = ["-S", "data.source=folder", "-S", 'tasks.face.positive="Zoë"', "-S", "~tasks.emotion"]
    assert "4 pictures from folder" in run(clone, "dvc", "exp", "run", "--temp", *keys, *more, "download")


@pytest.mark.slow
def test_dvc_fails_in_a_path_with_an_umlaut(tmp_path: Path) -> None:
    """When this fails, DVC has mended it, and docs/experiments.md need not speak of it any more."""
    page = (ROOT / "docs" / "experiments.md").read_text(encoding="utf-8")
    assert "`--queue`, `--temp` and a local cache folder fail in a path with a letter that is not ASCII" in page
    folder = tmp_path / "f\u00fcr"
    folder.mkdir()
    run(folder, "git", "init", "-q")
    run(folder, "dvc", "init", "-q")
    run(folder, "dvc", "config", "core.analytics", "false")
    (folder / "dvc.yaml").write_text("stages: {only: {cmd: echo}}", encoding="utf-8")
    run(folder, "git", "add", "-A")
    run(folder, "git", "-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "-qm", "first")
    run(folder, "dvc", "repro")
    for command in (["dvc", "exp", "run", "--temp"], ["dvc", "cache", "dir", "--local", str(folder / "cache")]):
        with pytest.raises(AssertionError, match="'ascii' codec can't encode character"):
            run(folder, *command)
