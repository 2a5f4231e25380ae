"""Logits of every picture of a split."""

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from facestudy.models import distributed
from facestudy.models.pictures import Batches

EVALUATION_BATCH = 64


@torch.no_grad()
def predict(fabric: Fabric, network: nn.Module, data: Batches) -> Tensor:
    """Logits (N, classes) float32 of every picture, in order, in evaluation mode; each process computes its share.

    In full precision whatever the training's, so that a model has one accuracy: in its history, its scores, and its
    exported file, which runs elsewhere.
    """
    network.eval()
    mine = torch.arange(len(data.labels))[fabric.global_rank :: fabric.world_size]
    logits = torch.cat([network(batch) for batch in data.batches(torch.split(mine, EVALUATION_BATCH), None)])
    if fabric.world_size == 1:
        return logits
    whole = logits.new_zeros((len(data.labels), logits.shape[1]))
    whole[mine.to(whole.device)] = logits
    return distributed.reduced(fabric, whole, "sum")
