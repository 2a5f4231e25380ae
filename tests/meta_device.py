"""A stand-in for a GPU where there is none: torch's device "meta", whose tensors have shapes and no values.

What would wait for a GPU is seen there: to read a value raises, and every copy from another device goes through
`Crossings`.
"""

# mypy: allow-untyped-calls

from collections.abc import Callable
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.accelerators.cpu import CPUAccelerator
from lightning_fabric.strategies.single_device import SingleDeviceStrategy
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

META = torch.device("meta")


class EndedError(Exception):
    """The steps that are looked at are over; what comes at an epoch's end reads values."""


class Crossings(TorchDispatchMode):
    """Records each operation between devices, but for copies that are marked as non-blocking."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self._numbers = _FromNumbers(self.seen)

    def __enter__(self) -> "Crossings":
        self._numbers.__enter__()
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self._numbers.__exit__(*error)

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        named = kwargs or {}
        result = func(*args, **named)
        devices = {leaf.device.type for leaf in tree_leaves((args, named, result)) if isinstance(leaf, Tensor)}
        if len(devices) > 1 and not named.get("non_blocking"):
            self.seen.append(str(func))
        return result


class Readings(TorchDispatchMode):
    """Counts the numbers that are read from tensors one by one, on any device."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.count += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


class _FromNumbers(TorchFunctionMode):
    """Records each tensor that is made of Python's numbers on the stand-in, which is a copy too."""

    def __init__(self, seen: list[str]) -> None:
        super().__init__()
        self._seen = seen

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if func in (torch.tensor, torch.as_tensor) and result.device == META:
            self._seen.append("torch.tensor")
        return result


class _Accelerator(CPUAccelerator):
    def setup_device(self, device: torch.device) -> None:
        pass


class MetaFabric(Fabric):
    """Trains on the stand-in; `crossings` are those from the first of `steps` backward passes to the last.

    That one raises EndedError.
    """

    def __init__(self, steps: int = 4) -> None:
        super().__init__(strategy=SingleDeviceStrategy(device=META, accelerator=_Accelerator()))
        self.crossings, self._steps, self._left = Crossings(), steps, steps

    def setup(self, module: Any, *optimizers: Any, **named: Any) -> Any:
        for group in (group for optimizer in optimizers for group in optimizer.param_groups):
            group["fused"] = False  # there is no such kernel for the stand-in
        return super().setup(module, *optimizers, **named)

    def backward(self, tensor: Tensor, *args: Any, **named: Any) -> None:
        if self._left == self._steps:
            self.crossings.seen.clear()  # of the start of the training, and of the epoch
        super().backward(tensor, *args, **named)
        self._left -= 1
        if not self._left:
            raise EndedError
