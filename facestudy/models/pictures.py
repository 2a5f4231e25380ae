"""Batches cut from the packed uint8 array, normalised for the networks, augmented or plain."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from facestudy.models.augmentation import Draws, augment
from facestudy.models.transfer import free_memory, groups_on, streamed
from facestudy.project.sections import Augmentation

# Statistics of ImageNet (R, G, B; pixels in 0..1), which torchvision's weights expect.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
CPU = torch.device("cpu")
LAYOUTS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}


class Batches(Protocol):
    """What the training loop needs of its data: pictures, or features of pictures."""

    labels: Tensor

    def batches(self, groups: Sequence[Tensor], epoch: int | None) -> Iterator[Tensor]:
        """The network's input for each group of rows (B,), augmented as in this epoch, or plain without one."""


@cache  # each copy to a GPU would wait for it
def _statistics(device: torch.device) -> tuple[Tensor, Tensor]:
    return torch.tensor(MEAN, device=device).view(1, 3, 1, 1), torch.tensor(STD, device=device).view(1, 3, 1, 1)


def normalise(pictures: Tensor) -> Tensor:
    """Turn (B, 3, H, W) in 0..1 into the range that the networks expect."""
    mean, std = _statistics(pictures.device)
    return (pictures - mean).div_(std)


@dataclass
class Pictures:
    """The pictures of one split: rows of images (N, H, W, 3) uint8, all where there are none, and labels (rows,) int64.

    On a GPU with room they lie there as a whole; elsewhere a batch is read from `images`, which may be
    a memory map: then they take no memory of the process. `memory`: free bytes, in place of what the device has.
    """

    images: np.ndarray
    labels: Tensor
    device: torch.device = CPU
    augmentation: Augmentation | None = None
    seed: int = 0  # of the augmentation
    rows: np.ndarray | None = None
    layout: str = "channels_last"
    memory: int | None = None

    def __post_init__(self) -> None:
        self.labels = self.labels.to(self.device)
        self._rows = np.arange(len(self.images)) if self.rows is None else self.rows
        needed = len(self._rows) * self.images[:1].nbytes
        free = free_memory(self.device) if self.memory is None else self.memory
        self._resident = resident(self.images, self._rows, self.device) if needed < free / 2 else None

    def draws(self, epoch: int) -> Draws:
        """The epoch's random numbers, on the CPU."""
        return Draws.of(self.seed, epoch, len(self.labels))

    def batches(self, groups: Sequence[Tensor], epoch: int | None) -> Iterator[Tensor]:
        """(B, 3, H, W) float32 for each group of rows (B,), augmented as in this epoch, or plain without one.

        `groups` are on the CPU. After the first batch nothing is copied to a GPU in a way that waits for it.
        """
        amount = None if epoch is None else self.augmentation
        draws = None if amount is None or epoch is None else self.draws(epoch).to(self.device)
        there = groups_on(self.device, groups)
        if self._resident is None:
            cuts: Iterator[Tensor] = streamed(self._read, groups, self.images.shape[1:], torch.uint8, self.device)
        else:
            cuts = (self._resident[rows] for rows in there)
        for rows, cut in zip(there, cuts, strict=True):
            pictures = cut.permute(0, 3, 1, 2).float().div_(255)
            if amount is not None and draws is not None:
                pictures = augment(pictures, draws.flip[rows], draws.uniform[rows], amount)
            yield normalise(pictures).contiguous(memory_format=LAYOUTS[self.layout])

    def batch(self, rows: Tensor, epoch: int | None) -> Tensor:
        """A single batch, as `batches` gives them."""
        return next(self.batches([rows], epoch))

    def _read(self, rows: Tensor, out: Tensor) -> None:
        np.take(self.images, self._rows[rows.numpy()], axis=0, out=out.numpy(), mode="clip")  # else it is buffered


def resident(images: np.ndarray, rows: np.ndarray, device: torch.device, chunk: int = 1024) -> Tensor:
    """These rows of images as one tensor on the device, copied by chunks so that the host never holds them all."""
    whole = torch.empty((len(rows), *images.shape[1:]), dtype=torch.uint8, device=device)
    for start in range(0, len(rows), chunk):
        whole[start : start + chunk] = torch.from_numpy(images[rows[start : start + chunk]])
    return whole
