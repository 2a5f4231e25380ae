"""Behind a proxy that lets a host not be reached, whatever is fetched from it."""

from collections.abc import Callable
from pathlib import Path
from urllib.request import install_opener

import pytest

from facestudy.errors import StudyError
from facestudy.project.sections import Archive, GitFolder
from facestudy.sources import archive, git
from facestudy.weights import imagenet
from tests.drive_server import drive_server

FETCHES: dict[str, tuple[str, Callable[[str, Path], object]]] = {
    "archive": ("photos.zip", lambda url, out: archive.fetch(Archive(location=url, sha256="0" * 64), out)),
    "git": ("photos.git", lambda url, out: git.fetch(GitFolder(url=url, revision="HEAD", path="."), out)),
    "imagenet": ("net-12345678.pth", lambda url, _: imagenet.fetch(url)),
}


@pytest.mark.parametrize("what", FETCHES)
def test_a_host_that_a_proxy_blocks_is_named(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, fetch = FETCHES[what]
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    with drive_server(tmp_path, tmp_path) as drive:
        for variable, value in drive.environment.items():
            monkeypatch.setenv(variable, value.replace("http://", "http://user:secret@"))
        install_opener(None)  # urllib's own holds the proxies that it found first
        with pytest.raises(StudyError) as caught:
            fetch(f"https://blocked.example/{name}", tmp_path)
    message = str(caught.value)
    assert f"https://blocked.example/{name}" in message and "403" in message
    proxy = drive.environment["https_proxy"].removeprefix("http://")
    assert f"through the proxy {proxy}" in message and "secret" not in message
    assert "without a network" in message or "without network" in message
    assert set(drive.asked) == {"blocked blocked.example"}
