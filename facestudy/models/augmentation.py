"""Random changes of whole batches of training pictures, each picture by its own draw."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from facestudy.project.sections import Augmentation

AUGMENTATION_STREAM = 2  # of the seed's random numbers


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

    def to(self, device: torch.device) -> "Draws":
        """The same numbers on the device."""
        return Draws(self.flip.to(device), self.uniform.to(device))


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
        grid = sampling_grid(matrix, pictures.shape[2])
        pictures = F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
    if amount.light:
        brightness = (1 + uniform[:, 4] * amount.light).view(-1, 1, 1, 1)
        contrast = (1 + uniform[:, 5] * amount.light).view(-1, 1, 1, 1)
        mean = pictures.mean(dim=(1, 2, 3), keepdim=True)
        pictures = (pictures - mean).mul_(contrast).add_(mean * brightness).clamp_(0, 1)
    return pictures


def sampling_grid(matrix: Tensor, size: int) -> Tensor:
    """The points (B, size, size, 2) of F.affine_grid with align_corners=False, for matrices (B, 2, 3).

    Its products of matrices take ten times as long on a CPU, in all a hundredth of a small epoch.
    """
    points = torch.linspace(-1, 1, size, device=matrix.device) * (size - 1) / size
    by_x, by_y, constant = matrix[..., None, None].unbind(2)
    return (by_x * points + by_y * points[:, None] + constant).permute(0, 2, 3, 1)
