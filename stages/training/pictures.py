"""Batches cut from the packed uint8 array and augmented as whole tensors, each picture by its own draw."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional as F

from stages.params import Augmentation
from stages.splitting import folds

# Statistics of ImageNet (R, G, B; pixels in 0..1), which torchvision's weights expect.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
ORDER_STREAM, AUGMENTATION_STREAM = 1, 2
LAYOUTS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}


class Batches(Protocol):
    """What the training loop needs of its data: pictures, or features of pictures."""

    labels: Tensor

    def batch(self, rows: Tensor, epoch: int | None) -> Tensor:
        """The network's input for these rows, augmented as in this epoch, or plain without one."""


@dataclass(frozen=True)
class Draws:
    """Random numbers of one epoch, row i for picture i; a picture's draw depends on (seed, epoch, i) alone."""

    flip: Tensor  # (N,) bool
    uniform: Tensor  # (N, 6) in -1..1: rotation, scale, shift x, shift y, brightness, contrast

    @classmethod
    def of(cls, seed: int, epoch: int, count: int) -> "Draws":
        """The epoch's draws for `count` pictures."""
        generator = np.random.default_rng([seed, AUGMENTATION_STREAM, epoch])
        table = torch.from_numpy(generator.uniform(-1, 1, (count, 7)).astype(np.float32))
        return cls(flip=table[:, 0] > 0, uniform=table[:, 1:])


def order(seed: int, epoch: int, count: int) -> Tensor:
    """The order in which an epoch visits the pictures, (N,) int64, from (seed, epoch) alone."""
    return torch.from_numpy(np.random.default_rng([seed, ORDER_STREAM, epoch]).permutation(count))


def normalise(pictures: Tensor) -> Tensor:
    """Turn (B, 3, H, W) in 0..1 into the range that the networks expect."""
    mean = torch.tensor(MEAN, device=pictures.device).view(1, 3, 1, 1)
    std = torch.tensor(STD, device=pictures.device).view(1, 3, 1, 1)
    return (pictures - mean).div_(std)


def sampled_at(matrix: Tensor, size: int) -> Tensor:
    """The points (B, size, size, 2) of F.affine_grid with align_corners=False, for matrices (B, 2, 3).

    Its products of matrices take ten times as long on a CPU, in all a hundredth of a small epoch.
    """
    place = torch.linspace(-1, 1, size, device=matrix.device) * (size - 1) / size
    by_x, by_y, constant = matrix[..., None, None].unbind(2)
    return (by_x * place + by_y * place[:, None] + constant).permute(0, 2, 3, 1)


def augment(pictures: Tensor, flip: Tensor, uniform: Tensor, amount: Augmentation) -> Tensor:
    """Change (B, 3, H, W) in 0..1 by each picture's own draw: (B,) flips and (B, 6) numbers in -1..1."""
    if amount.flip:
        pictures = torch.where(flip.view(-1, 1, 1, 1), pictures.flip(3), pictures)
    if amount.rotation or amount.scale or amount.shift:
        angle = torch.deg2rad(uniform[:, 0] * amount.rotation)
        zoom = 1 + uniform[:, 1] * amount.scale
        shift = uniform[:, 2:4] * amount.shift * 2  # the grid runs from -1 to 1, two per side
        cosine, sine = angle.cos() * zoom, angle.sin() * zoom
        matrix = torch.stack([cosine, -sine, shift[:, 0], sine, cosine, shift[:, 1]], dim=1).view(-1, 2, 3)
        pictures = F.grid_sample(
            pictures, sampled_at(matrix, pictures.shape[2]), padding_mode="border", align_corners=False
        )
    if amount.light:
        brightness = (1 + uniform[:, 4] * amount.light).view(-1, 1, 1, 1)
        contrast = (1 + uniform[:, 5] * amount.light).view(-1, 1, 1, 1)
        mean = pictures.mean(dim=(1, 2, 3), keepdim=True)
        pictures = (pictures - mean).mul_(contrast).add_(mean * brightness).clamp_(0, 1)
    return pictures


class Pictures:
    """The pictures of one split: rows of images (N, H, W, 3) uint8, and their labels (rows,) int64.

    On a GPU with room they lie there as a whole; elsewhere a batch is read from `images`, which may be
    a memory map: then they take no memory of the process.
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: Tensor,
        device: torch.device | str = "cpu",
        augmentation: Augmentation | None = None,
        seed: int = 0,
        rows: np.ndarray | None = None,
        layout: str = "channels_last",
    ) -> None:
        self.labels = labels.to(device)
        self.device = torch.device(device)
        self.augmentation = augmentation
        self.seed = seed
        self.layout = LAYOUTS[layout]
        self._images = images
        self._rows = np.arange(len(images)) if rows is None else rows
        self._drawn: tuple[int, Draws] | None = None
        bytes_needed = len(self._rows) * images[:1].nbytes
        fits = self.device.type == "cuda" and bytes_needed < torch.cuda.mem_get_info(self.device)[0] / 2
        self._resident = resident(images, self._rows, self.device) if fits else None

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
            cut = torch.from_numpy(self._images[self._rows[rows.numpy()]]).to(self.device, non_blocking=True)
        return cut.permute(0, 3, 1, 2).float().div_(255)

    def batch(self, rows: Tensor, epoch: int | None) -> Tensor:
        """(B, 3, H, W) float32, augmented as in this epoch, or plain without one."""
        pictures = self.plain(rows)
        if epoch is not None and self.augmentation is not None:
            draws = self.draws(epoch)
            flip, uniform = draws.flip[rows].to(self.device), draws.uniform[rows].to(self.device)
            pictures = augment(pictures, flip, uniform, self.augmentation)
        return normalise(pictures).contiguous(memory_format=self.layout)


def resident(images: np.ndarray, rows: np.ndarray, device: torch.device, chunk: int = 1024) -> Tensor:
    """These rows of images as one tensor on the device, copied by chunks so that the host never holds them all."""
    whole = torch.empty((len(rows), *images.shape[1:]), dtype=torch.uint8, device=device)
    for start in range(0, len(rows), chunk):
        whole[start : start + chunk] = torch.from_numpy(images[rows[start : start + chunk]])
    return whole


@dataclass(frozen=True)
class Packed:
    """A packed task: images (N, H, W, 3) uint8 by memory map and its index, row i for image i."""

    images: np.ndarray
    index: pd.DataFrame

    @classmethod
    def read(cls, folder: Path) -> "Packed":
        """Open what `preprocess` or `pretrain_faces` wrote."""
        index = pd.read_csv(folder / "index.csv", dtype=str, keep_default_na=False)
        images = np.load(folder / "images.npy", mmap_mode="r" if len(index) else None, allow_pickle=False)
        return cls(images, index)

    def seen_by(self, seed: int) -> "Packed":
        """The task as the training of a seed sees it: of folds, one to validate on and the others to train on."""
        return replace(self, index=self.index.assign(split=folds.seen_by(self.index["split"], seed)))

    @property
    def size(self) -> int:
        """Side of the packed pictures, pixels."""
        return int(self.images.shape[1])

    def part(self, split: str, classes: list[str]) -> tuple[np.ndarray, Tensor, list[str]]:
        """Rows of the images, labels as indices into `classes`, and picture ids of one split."""
        rows = np.flatnonzero(self.index["split"] == split)
        labels = torch.tensor([classes.index(label) for label in self.index["label"].iloc[rows]], dtype=torch.int64)
        return rows, labels, list(self.index["file"].iloc[rows])


def class_order(labels: pd.Series, positive: str | None) -> list[str]:
    """Classes of a task in the order of the outputs: sorted, or other and positive for a binary task."""
    return ["other", positive] if positive is not None else sorted(set(labels))
