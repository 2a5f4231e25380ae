"""torch.compile, where its C++ compiler is there."""

import torch
from torch import nn

from facestudy.errors import StudyError


def compiled(network: nn.Module) -> nn.Module:
    """The network through torch.compile. Raises StudyError where there is no C++ compiler, which it needs."""
    # Their import takes a second, which a training that is not compiled does not need.
    from torch._inductor.cpp_builder import get_cpp_compiler  # noqa: PLC0415
    from torch._inductor.exc import InvalidCxxCompiler  # noqa: PLC0415

    try:
        get_cpp_compiler()
    except InvalidCxxCompiler:
        raise StudyError(
            "compile: true needs a C++ compiler (g++ or clang++), and none was found; set it to false"
        ) from None
    torch.use_deterministic_algorithms(True, warn_only=True)  # the compiler too; device.py leaves it out
    return torch.compile(network)  # type: ignore[return-value]
