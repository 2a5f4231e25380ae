import subprocess
import time
from pathlib import Path

import pytest

from facestudy.errors import StudyError
from facestudy.project.sections import GitFolder
from facestudy.sources.folder import collect
from facestudy.sources.git import fetch
from tests.inputs import NOWHERE, labelled_folder, paint


def git(repository: Path, *arguments: str) -> str:
    who = ["-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *who, *arguments], cwd=repository, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two commits; the first holds the photos, the second one more that must not be seen."""
    folder = tmp_path_factory.mktemp("repository")
    labelled_folder(folder / "set", faces=4, emotions=2)
    (folder / "set" / "images" / "link.png").symlink_to("/etc/passwd")
    git(folder, "init")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "photos")
    paint(folder / "set" / "images" / "later.png", 99)
    git(folder, "add", ".")
    git(folder, "commit", "-m", "later")
    return folder


def settings(repository: object, **changes: str) -> GitFolder:
    return GitFolder.model_validate({"url": str(repository), "revision": "HEAD~1", "path": "set"} | changes)


def refused(given: GitFolder, folder: Path) -> str:
    with pytest.raises(StudyError) as caught:
        fetch(given, folder)
    return str(caught.value)


def test_a_folder_at_a_commit_is_read_as_a_folder_without_following_links(repository: Path, tmp_path: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD~1")
    root = fetch(settings(repository, revision=commit), tmp_path)
    assert collect(settings(repository), root).equals(collect(settings(repository), repository / "set"))
    names = {path.name for path in (root / "images").iterdir()}
    assert "f0.png" in names
    assert "later.png" not in names
    assert (root / "images" / "link.png").read_text() == "/etc/passwd"


def test_the_whole_repository_may_be_the_folder(repository: Path, tmp_path: Path) -> None:
    given = settings(repository, path=".", labels="set/labels.csv", images="set/images")
    assert len(collect(given, fetch(given, tmp_path))) == 6


def test_what_is_not_in_the_repository_is_an_error(repository: Path, tmp_path: Path) -> None:
    assert "no repository" in refused(settings(tmp_path / "absent"), tmp_path)
    assert "0123456" in refused(settings(repository, revision="0123456"), tmp_path)
    assert "nowhere" in refused(settings(repository, path="nowhere"), tmp_path)
    assert "no address" in refused(settings("--upload-pack=touch evil"), tmp_path)


def test_without_a_network_the_offline_choice_is_named_in_time(tmp_path: Path) -> None:
    start = time.monotonic()
    message = refused(settings(f"{NOWHERE}/photos.git"), tmp_path)
    assert time.monotonic() - start < 30
    assert "data.source: sample" in message
