"""In which order an epoch visits the pictures, and in which batches."""

import numpy as np
import torch
from torch import Tensor

ORDER_STREAM = 1  # of the seed's random numbers


def order(seed: int, epoch: int, count: int) -> Tensor:
    """The order in which an epoch visits the pictures, (N,) int64, from (seed, epoch) alone."""
    return torch.from_numpy(np.random.default_rng([seed, ORDER_STREAM, epoch]).permutation(count))


def batch_rows(rows: Tensor, size: int) -> list[Tensor]:
    """Batches of one epoch; a last batch of one picture joins the one before: batch statistics need two."""
    batches = list(torch.split(rows, size))
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches
