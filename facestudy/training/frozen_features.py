"""The cache of frozen features: what the frozen first layers return is computed once for each picture and view.

It holds for a network whose frozen modules come first, and an augmentation with finitely many views (a flip).
"""

import math
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from operator import attrgetter

import numpy as np
import psutil
import torch
from lightning_fabric import Fabric
from torch import Tensor, fx, nn
from torch.nn.modules.dropout import _DropoutNd
from torchvision.ops import StochasticDepth

from facestudy.errors import StudyError
from facestudy.models import distributed, networks
from facestudy.models.pictures import LAYOUTS, Pictures
from facestudy.models.transfer import free_memory, groups_on, streamed

CHUNK = 64
RANDOM = (_DropoutNd, StochasticDepth)


class _Tracer(fx.Tracer):
    """Keeps as one node what acts differently in training and in evaluation."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, RANDOM) or super().is_leaf_module(m, module_qualified_name)


def cut(network: nn.Module) -> tuple[nn.Module, nn.Module] | None:
    """The frozen front and the rest of a network, cut as late as a single tensor passes between them.

    Both share the network's parameters. None where the first layer is trained, or random layers stand before
    what is trained, or torch.fx cannot follow the network.
    """
    networks.training_mode(network)
    try:
        nodes = list(_Tracer().trace(network).nodes)
    except fx.proxy.TraceError:
        return None
    index = {node: number for number, node in enumerate(nodes)}
    last_use = [max((index[user] for user in node.users), default=-1) for node in nodes]
    end, passing = 0, nodes[0]
    for number, node in enumerate(nodes):
        if not _constant(network, node):
            break
        crossing = [nodes[before] for before in range(number + 1) if last_use[before] > number]
        if len(crossing) == 1 and crossing[0].op != "placeholder":
            end, passing = number + 1, crossing[0]
    if passing.op == "placeholder":
        return None
    # Not by torch.fx.passes.split_module, with which a parameter that is used directly, as a vision transformer's class
    # token, becomes an input of its part.
    front, rest = fx.Graph(), fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    for node in nodes[:end]:
        copies[node] = front.node_copy(node, copies.__getitem__)
    front.output(copies[passing])
    copies = {passing: rest.placeholder("features")}
    for node in nodes[end:]:
        copies[node] = rest.node_copy(node, copies.__getitem__)
    return fx.GraphModule(network, front), fx.GraphModule(network, rest)


def _constant(network: nn.Module, node: fx.Node) -> bool:
    """Whether a step of the network, in training mode, returns the same for a picture all through the training."""
    if node.op == "call_module":
        module = network.get_submodule(str(node.target))
        trained = any(parameter.requires_grad for parameter in module.parameters())
        return not trained and not (module.training and isinstance(module, RANDOM))
    if node.op == "get_attr":
        return not attrgetter(str(node.target))(network).requires_grad
    return node.op != "output" and "dropout" not in str(node.target)


def finite_views(pictures: Pictures) -> bool:
    """Whether the augmentation turns a picture into finitely many views."""
    amount = pictures.augmentation
    return amount is None or not (amount.rotation or amount.scale or amount.shift or amount.light)


class Features:
    """The input of the rest of the network for each view of each picture: (views, N, ...) float32.

    They lie on the device where they take at most half of its free memory, else in the machine's
    memory under the same condition, else in a memory-mapped file in scratch space (TMPDIR).
    """

    def __init__(
        self,
        fabric: Fabric,
        front: nn.Module,
        pictures: Pictures,
        memory: int | None = None,
        full_precision: bool = False,
    ) -> None:
        """Run the front over all views, in the precision of the training, as its steps would, or in full precision.

        `memory`: free bytes, in place of what this machine has.
        """
        self.labels = pictures.labels
        self._pictures = pictures
        self._flips = pictures.augmentation is not None and pictures.augmentation.flip
        with nullcontext() if full_precision else fabric.autocast():
            self.views = _computed(fabric, front, pictures, 1 + self._flips, memory)

    def batches(self, groups: Sequence[Tensor], epoch: int | None) -> Iterator[Tensor]:
        """(B, ...) float32 for each group of rows: the features of the view that the epoch draws, or of the plain one.

        `groups` are on the CPU. After the first batch nothing is copied to a GPU in a way that waits for it.
        """
        view = torch.zeros(len(self.labels), dtype=torch.int64)
        if epoch is not None and self._flips:
            view = self._pictures.draws(epoch).flip.long()
        device, layout = self.labels.device, LAYOUTS[self._pictures.layout]
        if self.views.device.type != "cpu":
            view = view.to(device)
            parts: Iterator[Tensor] = (self.views[view[rows], rows] for rows in groups_on(device, groups))
        else:
            flat = self.views.flatten(0, 1)

            def read(rows: Tensor, out: Tensor) -> None:
                torch.index_select(flat, 0, view[rows] * len(view) + rows, out=out)

            parts = streamed(read, groups, flat.shape[1:], flat.dtype, device)
        for features in parts:
            yield features if features.dim() != 4 else features.contiguous(memory_format=layout)


@torch.no_grad()
def _computed(fabric: Fabric, front: nn.Module, pictures: Pictures, views: int, memory: int | None) -> Tensor:
    front.eval()
    rows, whole = torch.arange(len(pictures.labels)), None
    for view in range(views):
        own = slice(fabric.global_rank, None, fabric.world_size)  # of the rows, for this process
        groups = torch.split(rows, CHUNK * fabric.world_size)
        for group, batch in zip(groups, pictures.batches([group[own] for group in groups], None), strict=True):
            features = front(batch.flip(3) if view else batch).float()
            if whole is None:
                whole = allocate((views, len(rows), *features.shape[1:]), fabric.device, memory)
            if fabric.world_size > 1:
                part = features.new_zeros((len(group), *features.shape[1:]))
                part[own] = features
                features = distributed.reduced(fabric, part, "sum")
            start = int(group[0])
            whole[view, start : start + len(group)] = features.to(whole.device)
    assert whole is not None
    return whole


def allocate(shape: tuple[int, ...], device: torch.device, memory: int | None = None) -> Tensor:
    """An empty float32 tensor on the device, in memory or in a file, the first of which has twice the space free.

    `memory`: free bytes, in place of what this machine has. Raises StudyError where a file has no space either.
    """
    needed = math.prod(shape) * 4
    if device.type != "cpu" and needed <= (free_memory(device) if memory is None else memory) / 2:
        return torch.empty(shape, device=device)
    if needed <= (psutil.virtual_memory().available if memory is None else memory) / 2:
        return torch.empty(shape)
    with tempfile.TemporaryFile() as file:  # without a name: gone with the process, however that ends
        try:
            os.posix_fallocate(file.fileno(), 0, needed)
        except OSError as error:
            raise StudyError(
                f"the features of the frozen layers take {needed / 1e9:.1f} GB, for which {tempfile.gettempdir()} has "
                f"no space ({error.strerror}); let TMPDIR name a folder with more, or train all layers"
            ) from None
        return torch.from_numpy(np.memmap(file, dtype=np.float32, mode="r+", shape=shape))
