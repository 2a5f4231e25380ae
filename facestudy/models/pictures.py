"""Batches cut from the packed uint8 array, normalised for the networks, augmented or plain."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from facestudy.models.augmentation import Draws, augment
from facestudy.project.sections import Augmentation

# Statistics of ImageNet (R, G, B; pixels in 0..1), which torchvision's weights expect.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
CPU = torch.device("cpu")
LAYOUTS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}


class Batches(Protocol):
    """What the training loop needs of its data: pictures, or features of pictures."""

    labels: Tensor

    def batch(self, rows: Tensor, epoch: int | None) -> Tensor:
        """The network's input for these rows, augmented as in this epoch, or plain without one."""


def normalise(pictures: Tensor) -> Tensor:
    """Turn (B, 3, H, W) in 0..1 into the range that the networks expect."""
    mean = torch.tensor(MEAN, device=pictures.device).view(1, 3, 1, 1)
    std = torch.tensor(STD, device=pictures.device).view(1, 3, 1, 1)
    return (pictures - mean).div_(std)


@dataclass
class Pictures:
    """The pictures of one split: rows of images (N, H, W, 3) uint8, all where there are none, and labels (rows,) int64.

    On a GPU with room they lie there as a whole; elsewhere a batch is read from `images`, which may be
    a memory map: then they take no memory of the process.
    """

    images: np.ndarray
    labels: Tensor
    device: torch.device = CPU
    augmentation: Augmentation | None = None
    seed: int = 0  # of the augmentation
    rows: np.ndarray | None = None
    layout: str = "channels_last"

    def __post_init__(self) -> None:
        self.labels = self.labels.to(self.device)
        self._rows = np.arange(len(self.images)) if self.rows is None else self.rows
        self._drawn: tuple[int, Draws] | None = None
        needed = len(self._rows) * self.images[:1].nbytes
        fits = self.device.type == "cuda" and needed < torch.cuda.mem_get_info(self.device)[0] / 2
        self._resident = resident(self.images, self._rows, self.device) if fits else None

    def draws(self, epoch: int) -> Draws:
        """The epoch's random numbers, made once."""
        if self._drawn is None or self._drawn[0] != epoch:
            self._drawn = (epoch, Draws.of(self.seed, epoch, len(self.labels)))
        return self._drawn[1]

    def plain(self, rows: Tensor) -> Tensor:
        """(B, 3, H, W) float32 in 0..1 on the device, channels last in memory."""
        if self._resident is not None:
            cut = self._resident[rows.to(self.device)]
        else:
            cut = torch.from_numpy(self.images[self._rows[rows.numpy()]]).to(self.device, non_blocking=True)
        return cut.permute(0, 3, 1, 2).float().div_(255)

    def batch(self, rows: Tensor, epoch: int | None) -> Tensor:
        """(B, 3, H, W) float32, augmented as in this epoch, or plain without one."""
        pictures = self.plain(rows)
        if epoch is not None and self.augmentation is not None:
            draws = self.draws(epoch)
            flip, uniform = draws.flip[rows].to(self.device), draws.uniform[rows].to(self.device)
            pictures = augment(pictures, flip, uniform, self.augmentation)
        return normalise(pictures).contiguous(memory_format=LAYOUTS[self.layout])


def resident(images: np.ndarray, rows: np.ndarray, device: torch.device, chunk: int = 1024) -> Tensor:
    """These rows of images as one tensor on the device, copied by chunks so that the host never holds them all."""
    whole = torch.empty((len(rows), *images.shape[1:]), dtype=torch.uint8, device=device)
    for start in range(0, len(rows), chunk):
        whole[start : start + chunk] = torch.from_numpy(images[rows[start : start + chunk]])
    return whole
