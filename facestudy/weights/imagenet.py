"""torchvision's ImageNet weights, by download, their hash verified."""

import socket
import tempfile
from urllib.error import URLError

import torch
from torch import Tensor
from torchvision import models

from facestudy.errors import StudyError

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
            state: dict[str, Tensor] = torch.hub.load_state_dict_from_url(
                url, folder, map_location="cpu", progress=False, check_hash=True, weights_only=True
            )
            return state
    except (URLError, OSError, RuntimeError) as error:
        raise StudyError(
            f"the weights at {url} could not be fetched ({error}); "
            "set weights.source: pretrain to train some here without network, or file to bring your own"
        ) from None
    finally:
        socket.setdefaulttimeout(before)
