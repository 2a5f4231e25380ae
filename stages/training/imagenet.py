"""torchvision's ImageNet weights, by download, their hash verified."""

import socket
import tempfile
from pathlib import Path
from urllib.error import URLError

import torch
from torch import Tensor
from torchvision import models

from stages.errors import StudyError

TIMEOUT = 20  # seconds until a server that does not answer is given up


def download(arch: str, name: str) -> tuple[dict[str, Tensor], str]:
    """State dict and origin of the named weights (IMAGENET1K_V1). Raises StudyError without network."""
    known = {entry.name: entry for entry in models.get_model_weights(arch)}
    if name not in known:
        raise StudyError(f"weights.architectures.{arch}.imagenet: {name!r} is not known; known: {', '.join(known)}")
    return fetch(known[name].url), f"torchvision's {arch} {name} (ImageNet)"


def fetch(url: str) -> dict[str, Tensor]:
    """The state dict at a URL whose file name ends in the first digits of its SHA-256, as torchvision's do."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / url.rpartition("/")[2]
            digits = path.stem.rpartition("-")[2]
            torch.hub.download_url_to_file(url, str(path), hash_prefix=digits, progress=False)
            state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
            return state
    except (URLError, OSError, RuntimeError) as error:
        raise StudyError(
            f"the weights at {url} could not be fetched ({error}); "
            "set weights.source: pretrain to train some here without network, or file to bring your own"
        ) from None
    finally:
        socket.setdefaulttimeout(before)
