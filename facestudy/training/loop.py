"""The training loop: epochs of shuffled batches, each followed by a pass over the validation pictures."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision, Precision
from torch import Tensor, nn
from torch.nn import functional as F

from facestudy.errors import StudyError
from facestudy.models import distributed, networks
from facestudy.models.order import batch_rows, order
from facestudy.models.pictures import Batches
from facestudy.models.prediction import predict
from facestudy.models.tensors import contiguous_views
from facestudy.models.transfer import groups_on
from facestudy.project.sections import Recipe
from facestudy.training.compilation import compiled
from facestudy.training.history import Epoch
from facestudy.training.optimizers import optimizer_for
from facestudy.training.schedule import learning_rate

NORM_STEPS = 8  # one norm in so many steps: one for each takes a fortieth of a small epoch
RANK_STRIDE = 15_485_863  # a prime, so that no process draws the dropout of another's epoch


def balanced(labels: Tensor, classes: int) -> Tensor:
    """Weights (classes,) inverse to how often a class occurs; their mean over the pictures is 1."""
    counts = (labels[:, None] == torch.arange(classes, device=labels.device)).sum(dim=0).float()
    return len(labels) / (classes * counts.clamp(min=1))


def gradient_norm(precision: Precision, parameters: Iterable[nn.Parameter]) -> Tensor:
    """L2 norm of all gradients together, without the factor by which 16-mixed scales the loss."""
    norm = nn.utils.get_total_norm([each.grad for each in parameters if each.grad is not None]).detach()
    scaler = precision.scaler if isinstance(precision, MixedPrecision) else None
    return norm if scaler is None else norm / scaler.scale(torch.ones_like(norm))


class Training:
    """A network under training, epoch after epoch; its state can be saved after each and restored."""

    def __init__(self, fabric: Fabric, network: nn.Module, recipe: Recipe) -> None:
        """`network` is what runs at each step; its parameters that require gradients are trained."""
        self.done = 0
        self._fabric, self._network, self._recipe = fabric, network, recipe
        self._run = compiled(network) if recipe.compile else network
        self._parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
        optimizer = contiguous_views(partial(optimizer_for, recipe=recipe), self._parameters, fabric.device)
        self._model, self._optimizer = fabric.setup(self._run, optimizer)

    def epochs(
        self,
        train: Batches,
        validation: Batches,
        epochs: int,
        classes: int,
        seed: int,
        advance: Callable[[], None] = lambda: None,
    ) -> Iterator[Epoch]:
        """Train on to the last of `epochs` and yield after each, while the gradients of its last step are there.

        The order of the pictures, their augmentation and dropout come from (seed, epoch) alone, dropout from the
        process's rank too. `advance` is called after each step. Raises StudyError when a loss, a weight or a running
        statistic becomes NaN or infinite.
        """
        weight = balanced(train.labels, classes) if self._recipe.class_weights == "balanced" else None
        for epoch in range(self.done + 1, epochs + 1):
            rate = learning_rate(self._recipe, epoch, epochs)
            for group in self._optimizer.param_groups:
                group["lr"] = rate
            # Dropout draws from torch's own generator.
            torch.manual_seed((seed * 100_003 + epoch + self._fabric.global_rank * RANK_STRIDE) % 2**31)
            batches = batch_rows(order(seed, epoch, len(train.labels)), self._recipe.batch_size)
            train_scores = self._steps(train, epoch, batches, weight, advance)
            logits = predict(self._fabric, self._run, validation)
            val_loss = float(F.cross_entropy(logits, validation.labels))
            if not math.isfinite(val_loss):
                raise self._diverged(f"validation loss became {val_loss} after epoch {epoch}")
            # No loss shows an infinite running variance, which turns what it normalises into zeros.
            broken = networks.not_finite(self._network.state_dict())
            if broken is not None:
                raise self._diverged(f"values of {broken} became NaN or infinite in epoch {epoch}")
            self.done = epoch
            yield Epoch(
                epoch=epoch,
                **train_scores,
                val_loss=val_loss,
                val_accuracy=int((logits.argmax(dim=1) == validation.labels).sum()) / len(validation.labels),
                lr=rate,
            )

    def _steps(
        self, train: Batches, epoch: int, batches: list[Tensor], weight: Tensor | None, advance: Callable[[], None]
    ) -> dict[str, float | None]:
        """One step for each batch: their mean loss and accuracy, and the norm of the gradients.

        From the second step on, none waits for the device: no number is read from it, and nothing copied to it that is
        not pinned.
        """
        fabric, (rank, world) = self._fabric, (self._fabric.global_rank, self._fabric.world_size)
        networks.training_mode(self._network)
        losses, norms, correct = [], [], torch.zeros((), device=fabric.device)
        inputs = train.batches([batch[rank::world] for batch in batches], epoch)
        for step, (batch, given) in enumerate(zip(groups_on(fabric.device, batches), inputs, strict=True)):
            self._network.zero_grad()
            labels = train.labels[batch[rank::world]]
            logits = self._model(given)
            loss = F.cross_entropy(logits, labels, weight, reduction="sum")
            # A mean over the rows of all processes, of which DDP takes the mean again.
            whole = len(batch) if weight is None else weight[train.labels[batch]].sum()
            loss = loss / (whole / world)
            fabric.backward(loss)
            if step % NORM_STEPS == 0:
                norms.append(gradient_norm(fabric.strategy.precision, self._parameters))
            self._optimizer.step()
            losses.append(loss.detach())
            advance()
            correct += (logits.detach().argmax(dim=1) == labels).sum()
        loss_of_steps = distributed.reduced(fabric, torch.stack(losses), "mean")
        self._refuse_divergence(loss_of_steps, epoch)
        sizes = torch.tensor([len(batch) for batch in batches], device=fabric.device)
        mean_loss = float((loss_of_steps * sizes).sum() / sizes.sum())
        if not math.isfinite(mean_loss):
            raise self._diverged(f"mean of the training loss became {mean_loss} in epoch {epoch}")
        measured = torch.stack(norms)
        finite = measured[measured.isfinite()]  # 16-mixed takes no step where they are not
        return {
            "train_loss": mean_loss,
            "train_accuracy": int(distributed.reduced(fabric, correct, "sum")) / len(train.labels),
            "gradient_norm": float(finite.mean()) if len(finite) else None,
        }

    def _refuse_divergence(self, losses: Tensor, epoch: int) -> None:
        # Once per epoch: to wait for the loss of each step would stall a GPU.
        bad = (~torch.isfinite(losses)).nonzero()
        if len(bad):
            step = int(bad[0]) + 1
            loss = losses[step - 1].item()
            raise self._diverged(f"training loss became {loss} in epoch {epoch}, step {step} of {len(losses)}")

    def _diverged(self, what: str) -> StudyError:
        recipe = self._recipe
        return StudyError(
            f"the {what} (lr {recipe.lr}, batch_size {recipe.batch_size}, optimizer {recipe.optimizer}, precision "
            f"{recipe.precision}); no checkpoint is written. Try a smaller lr, or precision 32-true"
        )

    def state(self) -> dict[str, Tensor]:
        """All that the next epoch depends on: the tensors of the network, the optimiser and the loss scaler."""
        tensors = {f"network.{name}": tensor for name, tensor in self._network.state_dict().items()}
        for index, values in self._optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": tensor for name, tensor in values.items()}
        scaler = self._fabric.strategy.precision.state_dict()
        return tensors | {f"scaler.{name}": torch.tensor(value, dtype=torch.float64) for name, value in scaler.items()}

    def restore(self, state: Mapping[str, Tensor], epoch: int) -> None:
        """Set what `state` gave after an epoch; the tensors may lie in any order in memory."""
        parts = grouped(state)
        networks.restore(self._network, parts["network"])
        parameters = [parameter for group in self._optimizer.param_groups for parameter in group["params"]]
        values: dict[int, dict[str, Tensor]] = {}
        for index, tensors in grouped(parts["optimizer"]).items():
            parameter = parameters[int(index)]
            # In the parameter's order in memory, as the optimiser made them: a fused step goes value by value.
            values[int(index)] = {
                name: torch.empty_like(parameter).copy_(tensor) if tensor.shape == parameter.shape else tensor
                for name, tensor in tensors.items()
            }
        self._optimizer.load_state_dict({**self._optimizer.state_dict(), "state": values})
        if parts["scaler"]:
            precision = self._fabric.strategy.precision
            kinds = {name: type(value) for name, value in precision.state_dict().items()}
            precision.load_state_dict({name: kinds[name](tensor.item()) for name, tensor in parts["scaler"].items()})
        self.done = epoch


def grouped(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Tensors by what their names have before the first point, under the rest of their names."""
    groups: dict[str, dict[str, Tensor]] = defaultdict(dict)
    for name, tensor in tensors.items():
        group, _, rest = name.partition(".")
        groups[group][rest] = tensor
    return groups
