"""The frozen-trunk cache: what the frozen first layers give is computed once per picture and view, and kept.

It holds for a network whose frozen modules come first, and an augmentation with finitely many views (a flip).
"""

import math
import os
import tempfile
from operator import attrgetter

import numpy as np
import psutil
import torch
from lightning_fabric import Fabric
from torch import Tensor, fx, nn
from torch.nn.modules.dropout import _DropoutNd
from torchvision.ops import StochasticDepth

from stages.errors import StudyError
from stages.training import networks
from stages.training.parallel import SharedBatchNorm, SharedDropout
from stages.training.pictures import Pictures

CHUNK = 64
RANDOM = (_DropoutNd, StochasticDepth)
SWITCHING = (*RANDOM, SharedDropout, SharedBatchNorm)


class _Tracer(fx.Tracer):
    """Keeps as one node what acts differently in training and in evaluation."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, SWITCHING) or super().is_leaf_module(m, module_qualified_name)


def cut(network: nn.Module) -> tuple[nn.Module, nn.Module] | None:
    """The frozen part in front and the rest, parted as late as one tensor alone passes between them.

    Both share the network's parameters. None where the first layer learns, or random layers stand before
    what learns, or torch.fx cannot follow the network.
    """
    networks.training_mode(network)
    try:
        nodes = list(_Tracer().trace(network).nodes)
    except fx.proxy.TraceError:
        return None
    place = {node: number for number, node in enumerate(nodes)}
    last_use = [max((place[user] for user in node.users), default=-1) for node in nodes]
    parting, passing = 0, nodes[0]
    for number, node in enumerate(nodes):
        if not _settled(network, node):
            break
        crossing = [nodes[before] for before in range(number + 1) if last_use[before] > number]
        if len(crossing) == 1 and crossing[0].op != "placeholder":
            parting, passing = number, crossing[0]
    if passing.op == "placeholder":
        return None
    front, rest = fx.Graph(), fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    for node in nodes[: parting + 1]:
        copies[node] = front.node_copy(node, copies.__getitem__)
    front.output(copies[passing])
    copies = {passing: rest.placeholder("features")}
    for node in nodes[parting + 1 :]:
        copies[node] = rest.node_copy(node, copies.__getitem__)
    return fx.GraphModule(network, front), fx.GraphModule(network, rest)


def _settled(network: nn.Module, node: fx.Node) -> bool:
    """Whether a step of the network, in training mode, gives the same for the same picture all through the training."""
    if node.op == "call_module":
        module = network.get_submodule(str(node.target))
        return not any(parameter.requires_grad for parameter in module.parameters()) and not (
            module.training and isinstance(module, RANDOM)
        )
    if node.op == "get_attr":
        return not attrgetter(str(node.target))(network).requires_grad
    return node.op != "output" and "dropout" not in str(node.target)


def finite_views(pictures: Pictures) -> bool:
    """Whether the augmentation turns a picture into finitely many views."""
    amount = pictures.augmentation
    return amount is None or not (amount.rotation or amount.scale or amount.shift or amount.light)


class Features:
    """What the rest of the network receives for each view of each picture: (views, N, ...) float32.

    They lie on the device where they take at most half of its free memory, else in the machine's
    memory under the same condition, else in a memory-mapped file in scratch space (TMPDIR).
    """

    def __init__(self, fabric: Fabric, front: nn.Module, pictures: Pictures, memory: int | None = None) -> None:
        """Run the front over all views. `memory`: free bytes, in place of what is found on this machine."""
        self.labels = pictures.labels
        self._pictures = pictures
        self._flips = pictures.augmentation is not None and pictures.augmentation.flip
        self.views = _received(fabric, front, pictures, 1 + self._flips, memory)

    def batch(self, rows: Tensor, epoch: int | None) -> Tensor:
        """(B, ...) float32: the features of the view that the epoch draws for each row, or of the plain one."""
        view = torch.zeros_like(rows)
        if epoch is not None and self._flips:
            view = self._pictures.draws(epoch).flip[rows].long()
        place = self.views.device
        found = self.views[view.to(place), rows.to(place)]
        found = found.to(self.labels.device, non_blocking=True)
        return found.contiguous(memory_format=self._pictures.layout) if found.dim() == 4 else found


@torch.no_grad()
def _received(fabric: Fabric, front: nn.Module, pictures: Pictures, views: int, memory: int | None) -> Tensor:
    front.eval()
    rows, kept = torch.arange(len(pictures.labels)), None
    with fabric.autocast():
        for view in range(views):
            # Each process runs its own chunk of every group and receives the others'.
            for group in torch.split(rows, CHUNK * fabric.world_size):
                chunk = group[fabric.global_rank * CHUNK :][:CHUNK]
                batch = pictures.batch(chunk if len(chunk) else group[:1], None)
                found = front(batch.flip(3) if view else batch).float()
                if kept is None:
                    kept = _room((views, len(rows), *found.shape[1:]), fabric.device, memory)
                kept[view, group] = _gathered(fabric, found)[: len(group)].to(kept.device)
    assert kept is not None
    return kept


def _gathered(fabric: Fabric, found: Tensor) -> Tensor:
    """The chunks of all processes, one after the other."""
    if fabric.world_size == 1:
        return found
    padded = found.new_zeros((CHUNK, *found.shape[1:]))
    padded[: len(found)] = found
    gathered = fabric.all_gather(padded)
    assert isinstance(gathered, Tensor)
    return gathered.flatten(0, 1)


def _room(shape: tuple[int, ...], device: torch.device, memory: int | None) -> Tensor:
    """An empty tensor where it takes at most half of what is free; StudyError where not even a file has room."""
    needed = math.prod(shape) * 4
    if device.type == "cuda" and needed <= (torch.cuda.mem_get_info(device)[0] if memory is None else memory) / 2:
        return torch.empty(shape, device=device)
    if needed <= (psutil.virtual_memory().available if memory is None else memory) / 2:
        return torch.empty(shape)
    with tempfile.TemporaryFile() as file:  # without a name: gone with the process, however that ends
        try:
            os.posix_fallocate(file.fileno(), 0, needed)
        except OSError as error:
            raise StudyError(
                f"the features of the frozen layers take {needed / 1e9:.1f} GB, which {tempfile.gettempdir()} has no "
                f"room for ({error.strerror}); let TMPDIR name a folder with more, or train all layers"
            ) from None
        return torch.from_numpy(np.memmap(file, dtype=np.float32, mode="r+", shape=shape))
