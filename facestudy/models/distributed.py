"""One training on several processes, started by torchrun or srun, which all take the same steps.

Each process holds the whole network and every `world_size`-th row of a batch. The number of processes changes
rounding, and which values dropout sets to 0, for each process draws its own.
"""

import os

from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from facestudy.errors import StudyError


def processes() -> tuple[int, int, ClusterEnvironment]:
    """Processes per machine, machines, and who started them: torchrun, srun, or nobody (1, 1).

    Raises StudyError where srun was not given the number of tasks of each machine.
    """
    if TorchElasticEnvironment.detect():
        return int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["GROUP_WORLD_SIZE"]), TorchElasticEnvironment()
    # Set by srun for its tasks alone: a script under sbatch that calls no srun is one process.
    tasks, machines = (int(os.environ.get(f"SLURM_STEP_NUM_{name}", "1")) for name in ("TASKS", "NODES"))
    if tasks > 1:
        if "SLURM_NTASKS_PER_NODE" not in os.environ:
            raise StudyError("STUDY_LAUNCHER: srun needs --ntasks-per-node in place of --ntasks")
        return tasks // machines, machines, SLURMEnvironment(auto_requeue=False)
    return 1, 1, LightningEnvironment()


def synchronised(network: nn.Module, fabric: Fabric) -> nn.Module:
    """The network, with batch normalisation over the rows of all processes.

    Raises StudyError where several processes on CPUs would need that: torch has it for GPUs alone.
    """
    if fabric.world_size == 1 or not any(isinstance(module, _BatchNorm) for module in network.modules()):
        return network
    if fabric.device.type == "cpu":
        raise StudyError(
            "batch normalisation over several CPU processes is not supported; train with one process "
            "(without STUDY_LAUNCHER), or on GPUs, where SyncBatchNorm does it"
        )
    converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
    return converted


def reduced(fabric: Fabric, values: Tensor, over: str) -> Tensor:
    """The "mean" or the "sum" of the processes' values, on each of them."""
    result = fabric.all_reduce(values, reduce_op=over)
    assert isinstance(result, Tensor)
    return result
