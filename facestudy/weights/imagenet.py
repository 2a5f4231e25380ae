"""torchvision's ImageNet weights, by download, their hash verified."""

import re
import socket
import sys
from http.client import HTTPException
from pathlib import Path
from ssl import SSLError
from urllib.error import URLError

import torch
from torch import Tensor
from torch.hub import HASH_REGEX
from torchvision import models

from facestudy.errors import StudyError, message_of
from facestudy.models import networks
from facestudy.project.files import sha256
from facestudy.sources import network
from facestudy.weights.fitting import require_fit

TIMEOUT = 20  # seconds until a server that does not answer is given up
DIGITS = 8  # of a hash, at least
OLD_NAME = re.compile(r"(denselayer\d+\.(?:norm|conv))\.(?=[12]\.)")  # in DenseNet's files; norm.1 is norm1
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
    known = _known(arch)
    if weights not in known and "://" not in weights:
        raise StudyError(f"{key}: {weights!r} is not known; give a URL, or one of {', '.join(known)}")
    url = known.get(weights, weights)
    tensors = {OLD_NAME.sub(r"\1", name): tensor for name, tensor in fetch(url).items()}
    require_fit(arch, tensors, key, url)
    return tensors, origin(arch, weights)


def origin(arch: str, weights: str) -> str:
    """In words, where such weights come from; a mirror's file with the hash of one of torchvision's is that one."""
    known, address = _known(arch), weights.partition("?")[0]  # what follows may be a secret
    if weights in known:
        return f"torchvision's {arch} {weights} (ImageNet)"
    names = [name for name, url in known.items() if _digits(url)[:DIGITS] == _digits(address)[:DIGITS]]
    return f"torchvision's {arch} {names[0]} (ImageNet), from {address}" if names else f"{arch} from {address}"


def _known(arch: str) -> dict[str, str]:
    """URLs of torchvision's weights by name."""
    return {entry.name: entry.url for entry in models.get_model_weights(arch)}


def _digits(url: str) -> str:
    """The first digits of the file's hash, by its name; none where the name holds none."""
    found = HASH_REGEX.search(_file_name(url))
    return str(found.group(1)) if found else ""


def _file_name(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]


def fetch(url: str) -> dict[str, Tensor]:
    """The state dict at a URL whose file name ends in the first digits of its SHA-256, as torchvision's do.

    It is read from the cache of torch.hub (below TORCH_HOME) where an earlier download left it, whole.
    """
    digits = _digits(url)
    if len(digits) < DIGITS:
        raise StudyError(
            f"the weights at {url} cannot be verified: the name of the file must end in the first {DIGITS} digits of "
            "its SHA-256, as in resnet18-f37072fd.pth"
        )
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    file = folder / _file_name(url)
    try:
        if file.exists() and not sha256(file).startswith(digits):
            print(f"{file} is not what its name says, and is downloaded anew", file=sys.stderr)
            file.unlink()
        if not file.exists():
            folder.mkdir(parents=True, exist_ok=True)
            _download(url, file, digits)
    except OSError as error:
        raise StudyError(
            f"{folder}, where weights are downloaded to, cannot be used ({error.strerror}: {error.filename or file}); "
            "set TORCH_HOME, above it, to a folder with free space that you may write to"
        ) from None
    unusable = f"{file}, fetched from {url}, holds no state dict of one network"
    remedy = f"delete it, and give the URL of a file like torchvision's, or {OTHERWISE}"
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # of several kinds, by torch's reader, whose words tell to read the file without care
        if message_of(error, "", in_pipeline=True) is not None:  # of the disk or memory, not of what the file holds
            raise
        raise StudyError(f"{unusable} that torch can read safely ({type(error).__name__}); {remedy}") from None
    if not (isinstance(state, dict) and state and all(map(_named_tensor, state.items()))):
        raise StudyError(f"{unusable}; {remedy}")
    return state


def _download(url: str, file: Path, digits: str) -> None:
    """Write the file whole, with the stated hash, or raise StudyError, or OSError for a fault of the disk."""
    print(f"downloading {url} to {file}", flush=True)
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        torch.hub.download_url_to_file(url, str(file), hash_prefix=digits, progress=sys.stderr.isatty())
    except RuntimeError as error:  # torch's for a wrong hash
        raise StudyError(
            f"what came from {url} is not the whole file that its name says ({error}): the connection broke, or it is "
            f"another file; try again, or {OTHERWISE}"
        ) from None
    except (HTTPException, ValueError, URLError, SSLError, TimeoutError, ConnectionError) as error:
        reason = str(error) or type(error).__name__
        raise StudyError(
            f"the weights at {url} could not be fetched{network.way(url)} ({reason}); {OTHERWISE}"
        ) from None
    finally:
        socket.setdefaulttimeout(before)


def _named_tensor(item: tuple[object, object]) -> bool:
    """Whether an entry has a text for its key, and a tensor that is neither sparse, quantised nor without values."""
    name, tensor = item
    if not (isinstance(name, str) and isinstance(tensor, Tensor)):
        return False
    return tensor.layout is torch.strided and not tensor.is_quantized and tensor.device.type == "cpu"
