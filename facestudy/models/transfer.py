"""Data on their way to the device. Nothing here waits for a GPU, as each copy from memory that is not pinned does."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

AHEAD = 3  # batches that are read while a GPU computes


def groups_on(device: torch.device, groups: Sequence[Tensor]) -> Sequence[Tensor]:
    """Groups of row numbers (B,) on the device, by one copy for all."""
    return torch.split(torch.cat(list(groups)).to(device), [len(group) for group in groups])


def free_memory(device: torch.device) -> int:
    """Bytes that are free on a GPU; 0 on other devices, where data lie in the host's memory."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else 0


def streamed(
    read: Callable[[Tensor, Tensor], object],
    groups: Sequence[Tensor],
    shape: Sequence[int],
    dtype: torch.dtype,
    device: torch.device,
) -> Iterator[Tensor]:
    """Each group of rows (B,) as (B, *shape) on the device; `read(group, out)` fills a tensor in the host's memory.

    For a GPU that memory is pinned, and a thread reads up to AHEAD groups in advance.
    """
    pinned = device.type == "cuda"

    def filled(group: Tensor) -> Tensor:
        batch = torch.empty((len(group), *shape), dtype=dtype, pin_memory=pinned)
        read(group, batch)
        return batch

    for batch in in_advance(filled, groups) if pinned else map(filled, groups):
        yield batch.to(device, non_blocking=True)


def in_advance(work: Callable[[Tensor], Tensor], groups: Sequence[Tensor]) -> Iterator[Tensor]:
    """`work` of each group, in order, which a thread does for up to AHEAD groups before they are asked for."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        running = deque(thread.submit(work, group) for group in groups[:AHEAD])
        try:
            for group in groups[AHEAD:]:
                ready = running.popleft().result()
                running.append(thread.submit(work, group))
                yield ready
            while running:
                yield running.popleft().result()
        finally:  # also where the one who asks stops early
            thread.shutdown(cancel_futures=True)
