"""torchvision's ImageNet weights, by download, their hash verified."""

import socket
import sys
from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError

import torch
from torch import Tensor
from torch.hub import HASH_REGEX
from torchvision import models

from facestudy.errors import StudyError
from facestudy.models import networks
from facestudy.project.files import sha256
from facestudy.weights.fitting import require_fit

TIMEOUT = 20  # seconds until a server that does not answer is given up
DIGITS = 8  # of a hash, at least
OTHERWISE = "set weights.source: pretrain to train some here without network, or file to bring your own"


def download(arch: str, weights: str) -> tuple[dict[str, Tensor], str]:
    """State dict and origin of weights by torchvision's name (IMAGENET1K_V1), or at the URL of a mirror.

    Raises StudyError for an unknown name, a URL without a hash, and weights that cannot be had or do not fit.
    """
    key = f"weights.architectures.{arch}.imagenet"
    if arch not in networks.architectures():
        raise StudyError(
            f"{key}: torchvision has no classifier {arch}; name one of {', '.join(networks.architectures())}"
        )
    known = {entry.name: entry.url for entry in models.get_model_weights(arch)}
    if weights not in known and "://" not in weights:
        raise StudyError(f"{key}: {weights!r} is not known; give a URL, or one of {', '.join(known)}")
    url = known.get(weights, weights)
    tensors = fetch(url)
    require_fit(arch, tensors, key, url)
    return tensors, f"torchvision's {arch} {weights} (ImageNet)" if weights in known else f"{arch} from {url}"


def fetch(url: str) -> dict[str, Tensor]:
    """The state dict at a URL whose file name ends in the first digits of its SHA-256, as torchvision's do.

    It is read from the cache of torch.hub (below TORCH_HOME) where an earlier download left it, whole.
    """
    name = url.partition("?")[0].rpartition("/")[2]
    digits = HASH_REGEX.search(name)
    if digits is None or len(digits.group(1)) < DIGITS:
        raise StudyError(
            f"the weights at {url} cannot be verified: the name of the file must end in the first {DIGITS} digits of "
            "its SHA-256, as in resnet18-f37072fd.pth"
        )
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    file = folder / name
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        if file.exists() and not sha256(file).startswith(digits.group(1)):
            print(f"{file} is not what its name says, and is downloaded anew", file=sys.stderr)
            file.unlink()
        state = torch.hub.load_state_dict_from_url(
            url, str(folder), map_location="cpu", progress=sys.stderr.isatty(), check_hash=True, weights_only=True
        )
    except (URLError, OSError, RuntimeError, HTTPException, ValueError) as error:
        raise StudyError(f"the weights at {url} could not be fetched ({error}); {OTHERWISE}") from None
    except Exception as error:  # of several kinds, by torch's reader
        raise StudyError(f"{file}, from {url}, holds no weights that torch reads ({error}); {OTHERWISE}") from None
    finally:
        socket.setdefaulttimeout(before)
    if not (isinstance(state, dict) and state and all(map(_named_tensor, state.items()))):
        raise StudyError(f"{file}, from {url}, holds no state dict of one network; {OTHERWISE}")
    return state


def _named_tensor(item: tuple[object, object]) -> bool:
    return isinstance(item[0], str) and isinstance(item[1], Tensor)
