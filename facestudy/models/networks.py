"""torchvision's networks, with a head for our classes and only the named modules learning."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torchvision import models

from facestudy.errors import StudyError
from facestudy.models.pictures import LAYOUTS
from facestudy.project.sections import FIXED_SIZE, LARGEST_SIDE

HEAD_WIDTH = 256
HEAD_DROPOUT = 0.5
DEFAULT_SIZE = 64
GRIDS = {"pooled": 1, "pooled_2x2": 2, "pooled_3x3": 3, "pooled_4x4": 4}  # side of the grid of averages, by head
FROZEN = "frozen"  # attribute of a module that lies within a frozen one, or is one
AUXILIARY = ("aux1", "aux2", "AuxLogits")  # heads of GoogLeNet and Inception that only their own training used
AVERAGE_IN_HEAD = (models.SqueezeNet, models.MaxVit)  # networks whose head gets maps, and averages them itself
SIZE_FAULTS = (AssertionError, RuntimeError, ValueError)  # what torchvision and torch raise at a size of no use


def architectures() -> list[str]:
    """Names of torchvision's classifiers."""
    return list(models.list_models(module=models))


def build(
    arch: str, head: str, classes: int, seed: int, layout: str = "channels_last", size: int = DEFAULT_SIZE
) -> nn.Module:
    """A torchvision network with random weights from the seed and `classes` outputs, for pictures of `size` pixels.

    `original` keeps torchvision's head and replaces its last layer; `pooled` replaces the head by a global average and
    a small classifier on normalised features, `pooled_2x2` and so on by averages over the cells of a grid, which keeps
    where things are. Raises StudyError for an unknown architecture, a size that it cannot be built for, and a grid
    that is finer than its features.
    """
    if arch not in architectures():
        raise StudyError(f"{arch!r} is no classifier of torchvision; known: {', '.join(architectures())}")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        try:
            network = _new(arch, size)
        except (AssertionError, ValueError) as error:  # no RuntimeError: it may be of memory
            raise _unusable(arch, size, "preprocess.size", error) from None
        require_size(network, arch, size, "preprocess.size")
        if head in GRIDS:
            features = remove_head(network, size, GRIDS[head])
            small = _small_classifier(features, classes)
            if isinstance(network, AVERAGE_IN_HEAD):
                small.insert(0, network.get_submodule(_head(network)))
            setattr(network, _head(network), small)
        else:
            name = _last_layer(network)
            network.set_submodule(name, _resized(network.get_submodule(name), classes))
    return network.to(memory_format=LAYOUTS[layout])


def _new(arch: str, size: int) -> nn.Module:
    options: dict[str, Any] = {}
    if arch.startswith("vit_"):
        options = {"image_size": size}
    elif arch.startswith("maxvit_"):
        options = {"input_size": (size, size)}
    elif arch in ("googlenet", "inception_v3"):
        # One output in training too. transform_input: their weights expect other pixel statistics than `normalise` has.
        options = {"aux_logits": False, "init_weights": True, "transform_input": True}
    network: nn.Module = models.get_model(arch, weights=None, **options)
    return network


def require_size(network: nn.Module, arch: str, size: int, key: str) -> None:
    """Raise StudyError, with the next size that would do, where `size` pixels, the value of `key`, are too few."""
    try:
        with torch.no_grad():
            network.eval()(torch.zeros(1, 3, size, size))
    except SIZE_FAULTS as error:
        raise _unusable(arch, size, key, error) from None
    network.train()


def _unusable(arch: str, size: int, key: str, error: Exception) -> StudyError:
    network, larger = None, None
    for side in range(size + 1, LARGEST_SIDE + 1):
        try:
            if network is None or arch.startswith(FIXED_SIZE):
                network = _new(arch, side).eval().to("meta")  # which computes shapes and no values
            network(torch.empty(1, 3, side, side, device="meta"))
        except SIZE_FAULTS:
            continue
        larger = side
        break
    remedy = f"the next size that it takes is {larger}" if larger else f"nor any size up to {LARGEST_SIDE}"
    reason = str(error).splitlines()[0]
    return StudyError(f"{key}: {arch} does not take pictures of {size} pixels ({reason}); {remedy}")


def _small_classifier(features: int, classes: int) -> nn.Sequential:
    # Frozen features come in whatever scale their trunk gives them; unnormalised, a head hardly learns from small ones.
    return nn.Sequential(
        nn.Flatten(),
        nn.BatchNorm1d(features),
        nn.Linear(features, HEAD_WIDTH),
        nn.ReLU(),
        nn.Dropout(HEAD_DROPOUT),
        nn.Linear(HEAD_WIDTH, classes),
    )


def remove_head(network: nn.Module, size: int, grid: int = 1) -> int:
    """Replace the head of a new network by the average of its features; the number of features it gives, flattened.

    `grid` is the side of the grid over whose cells the average is taken; 1 is a global average. Raises StudyError where
    the features have fewer cells, and for a finer grid than 1 where the network takes the global average itself.
    """
    average, name, sides = nn.AdaptiveAvgPool2d(grid), _head(network), []
    in_head = isinstance(network, AVERAGE_IN_HEAD)
    setattr(network, name, average if in_head else nn.Identity())
    if hasattr(network, "avgpool"):
        network.avgpool = average
    elif grid > 1 and not in_head:
        raise StudyError(f"head: pooled_{grid}x{grid}: {type(network).__name__} averages by itself; use head: pooled")
    hook = average.register_forward_pre_hook(lambda _, maps: sides.append(min(maps[0].shape[2:])))
    with torch.no_grad():
        features = network.eval()(torch.zeros(1, 3, size, size)).flatten(1).shape[1]
    hook.remove()
    network.train()
    if sides and sides[0] < grid:
        raise StudyError(
            f"head: pooled_{grid}x{grid}: {type(network).__name__} has features of {sides[0]} x {sides[0]} cells at "
            f"{size} pixels; use a grid of at most that, or a larger preprocess.size"
        )
    return int(features)


def _head(network: nn.Module) -> str:
    names = [name for name, _ in network.named_children()]
    return names[-1]


def _last_layer(network: nn.Module) -> str:
    """The layer that gives the logits: a linear one, or in SqueezeNet a convolution."""
    names: list[str] = [name for name, module in network.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    return names[-1]


def _resized(layer: nn.Module, classes: int) -> nn.Module:
    """A new last layer with other outputs."""
    if isinstance(layer, nn.Conv2d):
        return nn.Conv2d(layer.in_channels, classes, kernel_size=1)
    assert isinstance(layer, nn.Linear)
    return nn.Linear(layer.in_features, classes)


def load(network: nn.Module, state: Mapping[str, Tensor], head: str) -> None:
    """Load all weights but those of the layers that `build` adds for our classes, and those of auxiliary heads.

    Raises StudyError when the state does not fit the network.
    """
    added = _head(network) if head in GRIDS else _last_layer(network)
    used = {name: tensor for name, tensor in state.items() if not _within(name, added, *AUXILIARY)}
    try:
        missing, unknown = restore(network, used, strict=False)
    except RuntimeError as error:
        raise StudyError(f"the initial weights do not fit: {error}") from None
    missing = [name for name in missing if not _within(name, added)]
    if missing:
        raise StudyError(
            f"the initial weights lack {len(missing)} tensors that this network and its head need, first "
            f"{missing[0]!r}; set `head: pooled` for this variant, or use weights that hold a whole classifier"
        )
    if unknown:
        raise StudyError(
            f"the initial weights hold {len(unknown)} tensors that this network does not have, first {unknown[0]!r}; "
            "use weights of the same architecture"
        )


def restore(network: nn.Module, state: Mapping[str, Tensor], strict: bool = True) -> tuple[list[str], list[str]]:
    """As `load_state_dict`, of a state that has lain in a file: the names of tensors that are missing, and unknown.

    A file holds no version of the network's code, without which MNASNet loads nothing; it is that of this torchvision.
    """
    versioned = OrderedDict(state)
    versioned._metadata = {"": {"version": network._version}}  # type: ignore[attr-defined]
    result = network.load_state_dict(versioned, strict=strict)
    return result.missing_keys, result.unexpected_keys


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


def _within(name: str, *prefixes: str) -> bool:
    """Whether a name is one of the prefixes, or lies below one."""
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


def training_mode(network: nn.Module) -> None:
    """Training mode for what learns; what is frozen stays as in evaluation, its batch statistics and dropout too."""
    network.train()
    for module in network.modules():
        if hasattr(module, FROZEN):
            module.eval()


def not_finite(state: Mapping[str, Tensor]) -> str | None:
    """Name of the first tensor of a state dict with NaN or an infinite value in it; None where all are finite."""
    # All in one answer, for each waits for a GPU.
    finite = torch.stack([tensor.isfinite().all() for tensor in state.values()]).tolist()
    return next((name for name, good in zip(state, finite, strict=True) if not good), None)


def count(network: nn.Module) -> dict[str, int]:
    """Trainable and total number of parameters."""
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in network.parameters()]
    return {"trainable": sum(size for size, learns in sizes if learns), "total": sum(size for size, _ in sizes)}
