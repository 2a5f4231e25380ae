"""Whether weights fit the architecture that they are for, before a training starts from them."""

import warnings
from collections.abc import Mapping

import torch
from torch import Tensor

from facestudy.errors import StudyError
from facestudy.models import networks

SIZE = 224  # of pictures, in pixels, which every architecture takes
POSITIONS = "encoder.pos_embedding"  # of vision transformers: its shape follows preprocess.size


def require_fit(arch: str, state: Mapping[str, Tensor], key: str, source: str) -> None:
    """Raise StudyError where a value is NaN or infinite, or a name or shape is not that of the architecture.

    `source` is the URL or file that `key` of params.yaml leads to. A head may have any shape, or be missing, for
    variants replace it.
    """
    broken = networks.not_finite(state)
    if broken is not None:
        raise StudyError(
            f"{key}: {source} has NaN or infinite values in {broken}; its training must have diverged: name other "
            f"weights of {arch}"
        )
    fault = _misfit(arch, state)
    if fault is not None:
        raise StudyError(f"{key}: {source} does not fit {arch}: {fault}; name weights of {arch}")


def _misfit(arch: str, state: Mapping[str, Tensor]) -> str | None:
    # Without values, a network takes neither time nor memory; but RegNet computes its widths with tensors.
    device = torch.device("cpu" if arch.startswith("regnet_") else "meta")
    with device, warnings.catch_warnings(action="ignore"):  # torch warns that no values are copied
        network = networks.build(arch, "pooled", 2, 0, size=SIZE)
        ignored = (*[name for name, _ in network.named_children()][-1:], *networks.AUXILIARY)
        used = {name: tensor for name, tensor in state.items() if name.partition(".")[0] not in ignored}
        if POSITIONS in used:
            used[POSITIONS] = network.state_dict().get(POSITIONS, used[POSITIONS])
        try:
            missing, unknown = networks.restore(network, used, strict=False)
        except RuntimeError as error:
            return str(error).splitlines()[1].strip()  # the first of torch's list
    missing = [name for name in missing if name.partition(".")[0] not in ignored]
    if missing:
        return f"it lacks {len(missing)} tensors, first {missing[0]!r}"
    return f"it has {len(unknown)} tensors that {arch} does not have, first {unknown[0]!r}" if unknown else None
