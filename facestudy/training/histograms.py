"""Distributions of gradients and parameters, once per epoch, computed on the training device."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

SAMPLE = 2**16  # values of a parameter that are counted; all of ResNet18's would take a fortieth of a small epoch


def histograms(tensors: Sequence[Tensor], bins: int) -> tuple[Tensor, Tensor]:
    """Counts (P, bins) and edges (P, bins + 1), on the CPU, of P tensors that lie on one device.

    The range is that of all values of a tensor. Of more than 65,536 those are counted that stand a fixed step apart;
    NaN and infinite ones (16-mixed has such gradients at times, and skips their step) are not.

    A GPU is waited for twice, for the ends of all ranges and for all counts, and not for each tensor.
    """
    # In the order of memory, which copies nothing.
    flats = [tensor.detach().as_strided((tensor.numel(),), (1,)) for tensor in tensors]
    ranges = torch.stack([torch.stack(torch.aminmax(flat)) for flat in flats]).tolist()
    counts, edges = [], []
    for flat, (low, high) in zip(flats, ranges, strict=True):
        if not math.isfinite(high - low):
            flat, low, high = _finite(flat)  # noqa: PLW2901
        if low == high:
            low, high = low - 0.5, high + 0.5  # noqa: PLW2901
        sample = flat[:: -(-len(flat) // SAMPLE) | 1]  # an odd step does not line up with the even sizes of layers
        counts.append(torch.histc(sample.float(), bins=bins, min=low, max=high))
        edges.append(torch.linspace(low, high, bins + 1))
    return torch.stack(counts).cpu(), torch.stack(edges)


def _finite(flat: Tensor) -> tuple[Tensor, float, float]:
    """The finite values, or a zero where there are none, and the ends of their range."""
    finite = flat[flat.isfinite()]
    flat = finite if len(finite) else flat.new_zeros(1)
    low, high = torch.stack(torch.aminmax(flat)).tolist()
    return flat, low, high


class Recorder:
    """Collects the histograms of every trained parameter and of its gradient."""

    def __init__(self, network: nn.Module, bins: int) -> None:
        self.bins = bins
        self.parameters = {name: p for name, p in network.named_parameters() if p.requires_grad}
        self._rows: dict[str, list[Tensor]] = {}
        self.add("parameter")

    def add(self, *kinds: str) -> None:
        """Record "gradient", "parameter" or both as they are now."""
        parameters = list(self.parameters.values())
        gradients = [each.new_zeros(1) if each.grad is None else each.grad for each in parameters]
        values = [value for kind in kinds for value in (gradients if kind == "gradient" else parameters)]
        for part, table in zip(("counts", "edges"), histograms(values, self.bins), strict=True):
            for kind, rows in zip(kinds, table.chunk(len(kinds)), strict=True):
                self._rows.setdefault(f"{kind}_{part}", []).append(rows)

    def of_epoch(self, epoch: int) -> dict[str, tuple[Tensor, Tensor]]:
        """Counts and edges of an epoch, 1 for the first, under the names they have in W&B: gradients/<parameter> ..."""
        named: dict[str, tuple[Tensor, Tensor]] = {}
        for kind, row in (("gradient", epoch - 1), ("parameter", epoch)):
            columns = (self.parameters, self._rows[f"{kind}_counts"][row], self._rows[f"{kind}_edges"][row])
            named |= {f"{kind}s/{name}": (counts, edges) for name, counts, edges in zip(*columns, strict=True)}
        return named

    def tensors(self) -> dict[str, Tensor]:
        """`gradient_counts` (E, P, B), `gradient_edges` (E, P, B + 1), the same of `parameter` with E + 1 rows."""
        return {name: torch.stack(rows) for name, rows in self._rows.items()}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Set what `tensors` gave."""
        self._rows = {name: list(rows) for name, rows in tensors.items()}
