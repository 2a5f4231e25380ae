"""The device, precision and processes of a computation, as Lightning Fabric has them."""

import os
import warnings

import torch
from lightning_fabric import Fabric

from facestudy import process
from facestudy.errors import StudyError
from facestudy.models import distributed, tensors


def fabric_for(precision: str) -> Fabric:
    """A GPU where there is one, else the CPU; started by torchrun or srun, one of each for every process.

    The precision `auto` is bf16-mixed where the device has it, else 32-true. From here on the whole process computes
    deterministically, keeps the memory that it frees, and has float32 as float32 (a GPU would round the factors of
    convolutions to TF32). Raises StudyError for a precision that the device does not have.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS repeats with it alone; read as CUDA starts
    torch.backends.cudnn.allow_tf32 = False
    # As use_deterministic_algorithms, but for its import of torch.compile, which sets this for itself (compilation.py).
    torch.set_deterministic_debug_mode("warn")
    tensors.leave_new_tensors_unfilled()
    process.keep_freed_memory()
    if precision == "auto":
        precision = "bf16-mixed" if _has_bf16() else "32-true"
    devices, machines, environment = distributed.processes()
    # On a cluster one process is no mistake: `facestudy run --slurm` gives each stage a job of its own.
    warnings.filterwarnings("ignore", "The `srun` command is available on your system but is not used")
    try:
        fabric = Fabric(
            accelerator="auto",
            devices=devices,
            num_nodes=machines,
            strategy="ddp" if devices * machines > 1 else "auto",
            precision=precision,  # type: ignore[arg-type]
            plugins=[environment],
        )
    except ValueError as error:
        raise StudyError(f"precision: {precision!r} does not run on this device ({error}); use 32-true") from None
    used = fabric.strategy.precision.precision
    if used != precision:  # Fabric turns 16-mixed into bf16-mixed on a CPU
        raise StudyError(f"precision: {precision!r} needs a GPU, and there is none; use auto, bf16-mixed or 32-true")
    fabric.launch()
    return fabric


def _has_bf16() -> bool:
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported())  # without the instructions bf16 is many times slower
