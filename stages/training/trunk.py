"""The frozen-trunk cache: where only the head learns, what it receives is computed once per picture and view.

It holds where every module but the last is frozen, and the augmentation has finitely many views (a flip).
"""

import torch
from torch import Tensor, nn

from stages.training.pictures import Pictures

CHUNK = 64


def head_alone(network: nn.Module) -> nn.Module | None:
    """The last module if it alone learns, else None."""
    children = list(network.children())
    frozen = not any(parameter.requires_grad for child in children[:-1] for parameter in child.parameters())
    return children[-1] if frozen else None


def finite_views(pictures: Pictures) -> bool:
    """Whether the augmentation turns a picture into finitely many views."""
    amount = pictures.augmentation
    return amount is None or not (amount.rotation or amount.scale or amount.shift or amount.light)


class Features:
    """What the head receives for each view of each picture: (views, N, F)."""

    def __init__(self, network: nn.Module, pictures: Pictures) -> None:
        self.labels = pictures.labels
        self._pictures = pictures
        self._flips = pictures.augmentation is not None and pictures.augmentation.flip
        self.views = torch.stack([_received(network, pictures, flip) for flip in ([False, True][: 1 + self._flips])])

    def batch(self, rows: Tensor, epoch: int | None) -> Tensor:
        """(B, F) float32: the features of the view that the epoch draws for each row, or of the plain one."""
        if epoch is None or not self._flips:
            return self.views[0, rows.to(self.views.device)]
        view = self._pictures.draws(epoch).flip[rows].long()
        return self.views[view.to(self.views.device), rows.to(self.views.device)]


def _received(network: nn.Module, pictures: Pictures, flip: bool) -> Tensor:
    """What the network's last module receives, in evaluation mode."""
    received: list[Tensor] = []
    hook = list(network.children())[-1].register_forward_pre_hook(lambda _, inputs: received.append(inputs[0].float()))
    network.eval()
    with torch.no_grad():
        for rows in torch.split(torch.arange(len(pictures.labels)), CHUNK):
            batch = pictures.batch(rows, None)
            network(batch.flip(3) if flip else batch)
    hook.remove()
    return torch.cat(received)
