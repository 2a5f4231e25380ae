import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from facestudy.errors import StudyError
from facestudy.weights import imagenet


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A server on loopback that gives out a folder."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(tmp_path))  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_weights_are_fetched_and_their_hash_is_held_against_the_name(server: str, tmp_path: Path) -> None:
    torch.save({"fc.weight": torch.ones(2)}, tmp_path / "weights.pth")
    digits = hashlib.sha256((tmp_path / "weights.pth").read_bytes()).hexdigest()[:8]
    (tmp_path / f"net-{digits}.pth").write_bytes((tmp_path / "weights.pth").read_bytes())
    (tmp_path / "net-00000000.pth").write_bytes((tmp_path / "weights.pth").read_bytes())
    assert imagenet.fetch(f"{server}/net-{digits}.pth")["fc.weight"].tolist() == [1, 1]
    with pytest.raises(StudyError, match="pretrain"):
        imagenet.fetch(f"{server}/net-00000000.pth")
    with pytest.raises(StudyError, match="pretrain"):
        imagenet.fetch(f"{server}/absent-{digits}.pth")


def test_without_a_server_there_is_one_clear_error() -> None:
    with pytest.raises(StudyError, match="without network"):
        imagenet.fetch("http://127.0.0.1:9/net-00000000.pth")
    with pytest.raises(StudyError, match="IMAGENET1K_V1"):
        imagenet.download("resnet18", "IMAGENET9K")
