"""Distributions of gradients and parameters, once per epoch, computed on the training device."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

SAMPLE = 2**16  # values of a parameter that are counted; all of ResNet18's would take a fortieth of a small epoch


def histogram(values: Tensor, bins: int) -> tuple[Tensor, Tensor]:
    """Counts (bins,) and edges (bins + 1,) over the range of the values, on the CPU.

    The range is that of all values. Of more than 65,536 those are counted that stand a fixed step apart;
    NaN and infinite ones (16-mixed has such gradients at times, and skips their step) are not.
    """
    values = values.detach()
    flat = values.as_strided((values.numel(),), (1,))  # in the order of memory, which copies nothing
    low, high = (float(end) for end in torch.aminmax(flat))
    if not math.isfinite(high - low):
        finite = flat[flat.isfinite()]
        flat = finite if len(finite) else flat.new_zeros(1)
        low, high = (float(end) for end in torch.aminmax(flat))
    if low == high:
        low, high = low - 0.5, high + 0.5
    flat = flat[:: -(-len(flat) // SAMPLE) | 1]  # an odd step does not line up with the even sizes of layers
    counts = torch.histc(flat.float(), bins=bins, min=low, max=high)
    return counts.cpu(), torch.linspace(low, high, bins + 1)


class Recorder:
    """Collects the histograms of every trained parameter and of its gradient."""

    def __init__(self, network: nn.Module, bins: int) -> None:
        self.bins = bins
        self.parameters = {name: p for name, p in network.named_parameters() if p.requires_grad}
        self._rows: dict[str, list[Tensor]] = {}
        self.add("parameter")

    def add(self, kind: str) -> None:
        """Record "gradient" or "parameter" as they are now."""
        values = [p.grad if kind == "gradient" else p for p in self.parameters.values()]
        pairs = [histogram(torch.zeros(1) if value is None else value, self.bins) for value in values]
        for part, columns in zip(("counts", "edges"), zip(*pairs, strict=True), strict=True):
            self._rows.setdefault(f"{kind}_{part}", []).append(torch.stack(columns))

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
