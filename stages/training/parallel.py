"""One training on several processes: each takes its share of every batch, and all take the same steps.

Started by torchrun or srun, each process holds the whole network and every `world_size`-th row of a
batch. Batch statistics and dropout are those of the whole batch, so that the number of processes
changes rounding and nothing else.
"""

import os
from typing import Any

import torch
import torch.distributed
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from stages.errors import StudyError


def processes() -> tuple[int, int, ClusterEnvironment]:
    """Processes per machine, machines, and who started them: torchrun, srun, or nobody (1, 1).

    Raises StudyError where srun was not told how many tasks each machine gets.
    """
    if TorchElasticEnvironment.detect():
        return int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["GROUP_WORLD_SIZE"]), TorchElasticEnvironment()
    # Set by srun for its tasks alone: a script under sbatch that calls no srun is one process.
    tasks, machines = (int(os.environ.get(f"SLURM_STEP_NUM_{name}", "1")) for name in ("TASKS", "NODES"))
    if tasks > 1:
        if "SLURM_NTASKS_PER_NODE" not in os.environ:
            raise StudyError("training.launcher: srun needs --ntasks-per-node in place of --ntasks")
        return tasks // machines, machines, SLURMEnvironment(auto_requeue=False)
    return 1, 1, LightningEnvironment()


def shared(network: nn.Module, fabric: Fabric) -> nn.Module:
    """The network with statistics and dropout over the whole batch, wherever its rows lie; alone, as it is."""
    if fabric.world_size == 1:
        return network
    for name, module in list(network.named_modules()):
        new: nn.Module
        if isinstance(module, _BatchNorm) and fabric.device.type == "cpu":
            new = SharedBatchNorm.of(module)
        elif isinstance(module, nn.Dropout):
            new = SharedDropout(module.p)
        else:
            continue
        parent = network.get_submodule(name.rpartition(".")[0])
        setattr(parent, name.rpartition(".")[2], new)
    if fabric.device.type == "cpu":
        return network
    synced: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
    return synced


def reduced(fabric: Fabric, values: Tensor, over: str) -> Tensor:
    """The "mean" or the "sum" of the processes' values, on each of them."""
    if fabric.world_size == 1:
        return values
    found = fabric.all_reduce(values, reduce_op=over)
    assert isinstance(found, Tensor)
    return found


class _Sum(torch.autograd.Function):
    """The sum over all processes, through which gradients flow back to each of them."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        torch.distributed.all_reduce(total)
        return total


def _summed(values: Tensor) -> Tensor:
    total: Tensor = _Sum.apply(values)
    return total


class SharedDropout(nn.Dropout):
    """Dropout whose mask is drawn for the whole batch, the same on every process, which takes its rows of it."""

    def forward(self, input: Tensor) -> Tensor:
        """(B, ...) with a share of `p` set to 0 and the rest scaled up."""
        if not self.training:
            return input
        rank, world = torch.distributed.get_rank(), torch.distributed.get_world_size()
        rows = torch.tensor(len(input), device=input.device)
        torch.distributed.all_reduce(rows)
        mask = torch.empty(int(rows), *input.shape[1:], dtype=input.dtype, device=input.device).bernoulli_(1 - self.p)
        return input * mask.div_(1 - self.p)[rank::world]


class SharedBatchNorm(_BatchNorm):
    """Batch normalisation over all processes on CPUs; torch's own SyncBatchNorm is for GPUs alone."""

    @classmethod
    def of(cls, module: _BatchNorm) -> "SharedBatchNorm":
        """The same layer, with the same parameters and running statistics."""
        new = cls(module.num_features, module.eps, module.momentum, module.affine, module.track_running_stats)
        new._parameters, new._buffers = module._parameters, module._buffers
        return new

    def _check_input_dim(self, input: Tensor) -> None:
        pass

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, ...) normalised with the mean and variance of all processes' rows."""
        if not self.training:
            return super().forward(input)
        over = [dim for dim in range(input.dim()) if dim != 1]
        values = input.float()
        shape = [1, -1] + [1] * (input.dim() - 2)
        count = torch.tensor(values.numel() / self.num_features)
        torch.distributed.all_reduce(count)
        mean = _summed(values.sum(over)) / count
        centred = values - mean.view(shape)
        variance = _summed(centred.square().sum(over)) / count
        with torch.no_grad():
            assert self.running_mean is not None and self.running_var is not None
            assert self.num_batches_tracked is not None and self.momentum is not None
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
        scale = (variance + self.eps).rsqrt() * self.weight
        return (centred * scale.view(shape) + self.bias.view(shape)).to(input.dtype)
