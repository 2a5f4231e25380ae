"""torchvision's networks, with a head for our classes and only the named modules learning."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torchvision import models

from facestudy.errors import StudyError
from facestudy.models.pictures import LAYOUTS
from facestudy.project.sections import FIXED_SIZE

HEAD_WIDTH = 256
HEAD_DROPOUT = 0.5
DEFAULT_SIZE = 64
FROZEN = "frozen"  # attribute of a module that lies within a frozen one, or is one


def architectures() -> list[str]:
    """Names of torchvision's classifiers."""
    return list(models.list_models(module=models))


def build(
    arch: str, head: str, classes: int, seed: int, layout: str = "channels_last", size: int = DEFAULT_SIZE
) -> nn.Module:
    """A torchvision network with random weights from the seed and `classes` outputs, for pictures of `size` pixels.

    `original` keeps torchvision's head and replaces its last layer; `pooled` replaces the head by a
    global average and a small classifier on normalised features. Only a vision transformer is bound to
    its size. Raises StudyError for an unknown architecture, and for a size that it cannot be built for.
    """
    if arch not in architectures():
        raise StudyError(f"{arch!r} is no classifier of torchvision; known: {', '.join(architectures())}")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        sizes = {"image_size": size} if arch.startswith(FIXED_SIZE) else {}
        try:
            network: nn.Module = models.get_model(arch, weights=None, **sizes)
        except AssertionError as error:
            raise StudyError(f"preprocess.size: {arch} cannot be built for {size} pixels: {error}") from None
        if head == "pooled":
            features = remove_head(network, size)
            setattr(network, _head(network), _small_classifier(features, classes))
        else:
            name = _last_linear(network)
            features = network.get_submodule(name).in_features  # type: ignore[assignment]
            parent, _, own_name = name.rpartition(".")
            setattr(network.get_submodule(parent), own_name, nn.Linear(features, classes))
    return network.to(memory_format=LAYOUTS[layout])


def _small_classifier(features: int, classes: int) -> nn.Module:
    # Frozen features come in whatever scale their trunk gives them; unnormalised, a head hardly learns from small ones.
    return nn.Sequential(
        nn.Flatten(),
        nn.BatchNorm1d(features),
        nn.Linear(features, HEAD_WIDTH),
        nn.ReLU(),
        nn.Dropout(HEAD_DROPOUT),
        nn.Linear(HEAD_WIDTH, classes),
    )


def remove_head(network: nn.Module, size: int) -> int:
    """Replace the head of a new network by an identity behind a global average; the number of features it gives."""
    if hasattr(network, "avgpool"):
        network.avgpool = nn.AdaptiveAvgPool2d(1)
    setattr(network, _head(network), nn.Identity())
    with torch.no_grad():
        features = network.eval()(torch.zeros(1, 3, size, size)).flatten(1).shape[1]
    network.train()
    return int(features)


def _head(network: nn.Module) -> str:
    names = [name for name, _ in network.named_children()]
    return names[-1]


def _last_linear(network: nn.Module) -> str:
    names: list[str] = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    return names[-1]


def load(network: nn.Module, state: Mapping[str, Tensor], head: str) -> None:
    """Load all weights but those of the layers that `build` adds for our classes.

    Raises StudyError when the state does not fit the network.
    """
    added = _head(network) if head == "pooled" else _last_linear(network)
    try:
        result = network.load_state_dict({k: v for k, v in state.items() if not _within(k, added)}, strict=False)
    except RuntimeError as error:
        raise StudyError(f"the initial weights do not fit: {error}") from None
    missing = [key for key in result.missing_keys if not _within(key, added)]
    if missing:
        raise StudyError(
            f"the initial weights lack {len(missing)} tensors that this network and its head need, first "
            f"{missing[0]!r}; set `head: pooled` for this variant, or use weights that hold a whole classifier"
        )


def freeze(network: nn.Module, trainable: list[str]) -> None:
    """Let only the named modules learn ("all" for every one). Raises StudyError for a name that is not there."""
    parameters = dict(network.named_parameters())
    for prefix in trainable:
        if prefix != "all" and not any(_within(name, prefix) for name in parameters):
            known = ", ".join(name for name, _ in network.named_children())
            raise StudyError(f"trainable: no module {prefix!r} with parameters; the network's are: {known} (or all)")
    for name, parameter in parameters.items():
        parameter.requires_grad = any(prefix == "all" or _within(name, prefix) for prefix in trainable)
    for module in network.modules():
        learns = [parameter.requires_grad for parameter in module.parameters()]
        if learns and not any(learns):
            for part in module.modules():
                setattr(part, FROZEN, True)


def _within(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}.")


def training_mode(network: nn.Module) -> None:
    """Training mode for what learns; what is frozen stays as in evaluation, its batch statistics and dropout too."""
    network.train()
    for module in network.modules():
        if hasattr(module, FROZEN):
            module.eval()


def count(network: nn.Module) -> dict[str, int]:
    """Trainable and total number of parameters."""
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in network.parameters()]
    return {"trainable": sum(size for size, learns in sizes if learns), "total": sum(size for size, _ in sizes)}
