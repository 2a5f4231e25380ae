"""torchvision's networks, with a head for our classes and only the named modules learning."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torchvision import models

from stages.errors import StudyError
from stages.params import SIZED
from stages.training.pictures import LAYOUTS

HEAD_WIDTH = 256
HEAD_DROPOUT = 0.5
DEFAULT_SIZE = 64
FROZEN = "frozen"  # attribute of a module that stands within a frozen one, or is one


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
        bound = {"image_size": size} if arch.startswith(SIZED) else {}
        try:
            network: nn.Module = models.get_model(arch, weights=None, **bound)
        except AssertionError as error:
            raise StudyError(f"preprocess.size: {arch} cannot be built for {size} pixels: {error}") from None
        if head == "pooled":
            name, features = pool(network, size)
            setattr(network, name, _small_classifier(features, classes))
        else:
            last = last_linear(network)
            parent = network.get_submodule(last.rpartition(".")[0])
            layer = network.get_submodule(last)
            assert isinstance(layer, nn.Linear)
            setattr(parent, last.rpartition(".")[2], nn.Linear(layer.in_features, classes))
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


def last_linear(network: nn.Module) -> str:
    """Name of the layer that gives the logits."""
    linear: list[str] = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    return linear[-1]


def pool(network: nn.Module, size: int = DEFAULT_SIZE) -> tuple[str, int]:
    """Cut the head off: a global average in front, an identity in its place; its name and its input's width."""
    name = list(dict(network.named_children()))[-1]
    if hasattr(network, "avgpool"):
        network.avgpool = nn.AdaptiveAvgPool2d(1)
    setattr(network, name, nn.Identity())
    was_training = network.training
    with torch.no_grad():
        features = network.eval()(torch.zeros(1, 3, size, size)).flatten(1).shape[1]
    network.train(was_training)
    return name, features


def head_prefix(network: nn.Module, head: str) -> str:
    """Prefix of the parameters that are made anew for our classes and never taken from a weights file."""
    return f"{list(dict(network.named_children()))[-1]}." if head == "pooled" else f"{last_linear(network)}."


def load(network: nn.Module, state: Mapping[str, Tensor], head: str) -> None:
    """Take over all weights but the head's. Raises StudyError when the state does not fit the network."""
    fresh = head_prefix(network, head)
    wanted = {key: value for key, value in network.state_dict().items() if not key.startswith(fresh)}
    missing = [key for key in wanted if key not in state and not key.endswith("num_batches_tracked")]
    if missing:
        raise StudyError(
            f"the starting weights lack {len(missing)} tensors that this network and its head need, first "
            f"{missing[0]!r}; set `head: pooled` for this variant, or use weights that hold a whole classifier"
        )
    for key, value in wanted.items():
        if key in state and state[key].shape != value.shape:
            raise StudyError(
                f"the starting weights do not fit: {key!r} is {tuple(state[key].shape)} there "
                f"and {tuple(value.shape)} in the network"
            )
    network.load_state_dict({key: state[key] for key in wanted if key in state}, strict=False)


def freeze(network: nn.Module, trainable: list[str]) -> None:
    """Let only the named modules learn ("all" for every one). Raises StudyError for a name that is not there."""
    names = [name for name, _ in network.named_parameters()]
    for prefix in trainable:
        if prefix != "all" and not any(_below(name, prefix) for name in names):
            known = ", ".join(name for name, _ in network.named_children())
            raise StudyError(f"trainable: no module {prefix!r} with parameters; the network's are: {known} (or all)")
    for name, parameter in network.named_parameters():
        parameter.requires_grad = any(prefix == "all" or _below(name, prefix) for prefix in trainable)
    for module in network.modules():
        own = list(module.parameters())
        if own and not any(parameter.requires_grad for parameter in own):
            for part in module.modules():
                setattr(part, FROZEN, True)


def _below(name: str, prefix: str) -> bool:
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
