"""What makes tensors cheaper by unusual means; the results are the same bytes.

Each trick says what it gains. `STUDY_PLAIN=fill,views` (any of them) leaves it out.
"""

from collections.abc import Callable, Sequence

import torch
from torch import nn

from facestudy.process import enabled


def leave_new_tensors_unfilled() -> None:
    """Undo a part of torch's deterministic mode ("fill"): NaN in each new tensor before its values are written.

    Gains a twentieth of a step on a CPU. Nothing here reads a tensor before it is written; a test holds that.
    """
    if enabled("fill"):
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def contiguous_views(
    make: Callable[[Sequence[nn.Parameter]], torch.optim.Optimizer],
    parameters: Sequence[nn.Parameter],
    device: torch.device,
) -> torch.optim.Optimizer:
    """`make(parameters)`; on a CPU over views of them that are contiguous, whose steps change the parameters ("views").

    Gains half of a step's time in the optimiser with channels_last: a fused step on a CPU first copies each gradient
    that is not contiguous, to no use. It goes value by value, so the results are the same bytes.
    """
    if device.type != "cpu" or not enabled("views"):
        return make(parameters)
    dims = [parameter.dim_order() for parameter in parameters]  # once: it is slow in Python, and a step needs all
    views = [nn.Parameter(each.detach().permute(axes)) for each, axes in zip(parameters, dims, strict=True)]
    optimizer = make(views)

    def link_gradients(*_: object) -> None:
        for view, parameter, axes in zip(views, parameters, dims, strict=True):
            view.grad = None if parameter.grad is None else parameter.grad.permute(axes)

    optimizer.register_step_pre_hook(link_gradients)
    optimizer.register_step_post_hook(lambda *_: optimizer.zero_grad())  # the parameters alone hold the gradients
    return optimizer
