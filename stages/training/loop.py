"""The training loop: epochs of shuffled batches, then a pass over the validation pictures."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional as F

from stages.errors import StudyError
from stages.params import Recipe
from stages.training import memory, networks, parallel
from stages.training.pictures import Batches, order

EVALUATION_BATCH = 64
NORM_STEPS = 8  # one norm in so many steps: one for each takes a fortieth of a small epoch
OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
}


@dataclass(frozen=True)
class Epoch:
    """One row of the history; accuracies in 0..1, losses in nats, the gradient's norm a mean over every eighth step."""

    epoch: int
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    lr: float
    gradient_norm: float


def fabric_for(precision: str) -> Fabric:
    """A GPU where there is one, else the CPU; started by torchrun or srun, one of each for every process.

    The precision `auto` is bf16-mixed where the device has it, else 32-true. From here on the whole process computes
    deterministically and keeps the memory that it frees. Raises StudyError for a precision that the device does not
    have.
    """
    torch.use_deterministic_algorithms(True, warn_only=True)
    # It would also fill each new tensor with NaN before its values are written: a twentieth of a step on a CPU.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    memory.keep_freed()
    if precision == "auto":
        precision = "bf16-mixed" if _has_bf16() else "32-true"
    devices, machines, environment = parallel.processes()
    try:
        fabric = Fabric(
            accelerator="auto",
            devices=devices,
            num_nodes=machines,
            strategy="ddp" if devices * machines > 1 else "auto",
            precision=precision,  # type: ignore[arg-type]
            plugins=[environment],
        )
    except ValueError as error:
        raise StudyError(f"precision: {precision!r} does not run on this device ({error}); use 32-true") from None
    fabric.launch()
    return fabric


def _has_bf16() -> bool:
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported())  # without the instructions bf16 is many times slower


def learning_rate(recipe: Recipe, epoch: int, epochs: int) -> float:
    """The rate of an epoch, 1 to `epochs`: constant, or half a cosine from lr towards 0."""
    if recipe.schedule == "constant":
        return recipe.lr
    return recipe.lr * 0.5 * (1 + math.cos(math.pi * (epoch - 1) / epochs))


def balanced(labels: Tensor, classes: int) -> Tensor:
    """Weights (classes,) inverse to how often a class occurs; their mean over the pictures is 1."""
    counts = torch.bincount(labels, minlength=classes).float()
    return len(labels) / (classes * counts.clamp(min=1))


def optimizer_for(parameters: Sequence[nn.Parameter], recipe: Recipe) -> torch.optim.Optimizer:
    """The optimiser named in the recipe over these parameters; SGD with momentum 0.9."""
    # Fused: on a CPU Adam's step on ResNet18 takes 11 ms so, and 43 ms as a loop over operations.
    extra: dict[str, Any] = {"momentum": 0.9} if recipe.optimizer == "sgd" else {}
    return OPTIMIZERS[recipe.optimizer](
        parameters,
        lr=recipe.lr,  # type: ignore[call-arg]
        weight_decay=recipe.weight_decay,
        fused=True,
        **extra,
    )


def in_memory_order(
    make: Callable[[Sequence[nn.Parameter]], torch.optim.Optimizer],
    parameters: Sequence[nn.Parameter],
    device: torch.device,
) -> torch.optim.Optimizer:
    """`make(parameters)`; on a CPU over views of them that are contiguous, whose steps change the parameters.

    A fused step on a CPU first copies each gradient that is not contiguous, to no use: with channels_last that is half
    of its time. It takes value after value, so the results are the same bytes.
    """
    if device.type != "cpu":
        return make(parameters)
    dims = [parameter.dim_order() for parameter in parameters]  # once: it takes Python long, and a step asks for all
    views = [nn.Parameter(each.detach().permute(axes)) for each, axes in zip(parameters, dims, strict=True)]
    optimizer = make(views)

    def take_gradients(*_: object) -> None:
        for view, parameter, axes in zip(views, parameters, dims, strict=True):
            view.grad = None if parameter.grad is None else parameter.grad.permute(axes)

    optimizer.register_step_pre_hook(take_gradients)
    optimizer.register_step_post_hook(lambda *_: optimizer.zero_grad())  # the parameters alone hold the gradients
    return optimizer


class Training:
    """A network under training, epoch after epoch, with a state to leave off at and to go on from."""

    def __init__(self, fabric: Fabric, network: nn.Module, recipe: Recipe) -> None:
        """`network` is what runs at each step; its parameters that require gradients learn."""
        self.done = 0
        self._fabric, self._network, self._recipe = fabric, network, recipe
        self._run = compiled(network) if recipe.compile else network
        self._learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
        optimizer = in_memory_order(partial(optimizer_for, recipe=recipe), self._learning, fabric.device)
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
        """Train on to the last of `epochs` and yield after each, while the gradients of its last step still stand.

        The order of the pictures, their augmentation and dropout come from (seed, epoch) alone.
        `advance` is called after each step. Raises StudyError when the loss becomes NaN or infinite.
        """
        for epoch in range(self.done + 1, epochs + 1):
            rate = learning_rate(self._recipe, epoch, epochs)
            torch.manual_seed((seed * 100_003 + epoch) % 2**31)  # dropout draws from torch's own generator
            found = self._steps(train, epoch, rate, classes, order(seed, epoch, len(train.labels)), advance)
            predicted = predict(self._fabric, self._run, validation)
            self.done = epoch
            yield Epoch(
                epoch=epoch,
                **found,
                val_loss=float(F.cross_entropy(predicted, validation.labels)),
                val_accuracy=int((predicted.argmax(dim=1) == validation.labels).sum()) / len(validation.labels),
                lr=rate,
            )

    def _steps(
        self, train: Batches, epoch: int, rate: float, classes: int, rows: Tensor, advance: Callable[[], None]
    ) -> dict[str, float]:
        """The steps of one epoch over these rows: their mean loss and accuracy, and the norm of the gradients."""
        fabric, recipe = self._fabric, self._recipe
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        weight = balanced(train.labels, classes) if recipe.class_weights == "balanced" else None
        rank, world = fabric.global_rank, fabric.world_size
        networks.training_mode(self._network)
        losses, norms, correct = [], [], torch.zeros((), device=fabric.device)
        batches = batch_rows(rows, recipe.batch_size)
        for step, batch in enumerate(batches):
            self._network.zero_grad()
            mine = batch[rank::world]
            labels = train.labels[mine.to(fabric.device)]
            logits = self._model(train.batch(mine, epoch))
            loss = F.cross_entropy(logits, labels, weight, reduction="sum")
            # A mean over the rows of all processes, of which DDP takes the mean again.
            whole = len(batch) if weight is None else weight[train.labels[batch.to(fabric.device)]].sum()
            loss = loss / (whole / world)
            fabric.backward(loss)
            if step % NORM_STEPS == 0:
                norms.append(nn.utils.get_total_norm([p.grad for p in self._learning if p.grad is not None]).detach())
            self._optimizer.step()
            losses.append(loss.detach())
            advance()
            correct += (logits.detach().argmax(dim=1) == labels).sum()
        loss_of_steps = parallel.reduced(fabric, torch.stack(losses), "mean")
        _refuse_divergence(loss_of_steps, epoch, recipe)
        sizes = torch.tensor([len(batch) for batch in batches], device=fabric.device)
        return {
            "train_loss": float((loss_of_steps * sizes).sum() / sizes.sum()),
            "train_accuracy": int(parallel.reduced(fabric, correct, "sum")) / len(train.labels),
            "gradient_norm": float(torch.stack(norms).mean()),
        }

    def state(self) -> dict[str, Tensor]:
        """All that the next epoch rests on: the network's tensors, the optimiser's and the loss scaler's."""
        found = {f"network.{name}": tensor for name, tensor in self._network.state_dict().items()}
        for place, values in self._optimizer.state_dict()["state"].items():
            found |= {f"optimizer.{place}.{name}": tensor for name, tensor in values.items()}
        scaler = self._fabric.strategy.precision.state_dict()
        return found | {f"scaler.{name}": torch.tensor(value, dtype=torch.float64) for name, value in scaler.items()}

    def restore(self, state: Mapping[str, Tensor], epoch: int) -> None:
        """Put back what `state` gave after an epoch, in the same order in memory, which fused steps rely on."""
        kinds: dict[str, dict[str, Tensor]] = {"network": {}, "optimizer": {}, "scaler": {}}
        for name, tensor in state.items():
            kind, _, rest = name.partition(".")
            kinds[kind][rest] = tensor
        self._network.load_state_dict(kinds["network"])
        values: dict[int, dict[str, Tensor]] = {}
        for name, tensor in kinds["optimizer"].items():
            place, _, rest = name.partition(".")
            values.setdefault(int(place), {})[rest] = tensor
        self._optimizer.load_state_dict({**self._optimizer.state_dict(), "state": values})
        if kinds["scaler"]:
            known = self._fabric.strategy.precision.state_dict()
            scaler = {name: type(known[name])(tensor.item()) for name, tensor in kinds["scaler"].items()}
            self._fabric.strategy.precision.load_state_dict(scaler)
        self.done = epoch


def compiled(network: nn.Module) -> nn.Module:
    """The network through torch.compile. Raises StudyError where there is no C++ compiler, which it needs."""
    # Their import takes a second, which a training that is not compiled does not need.
    from torch._inductor.cpp_builder import get_cpp_compiler  # noqa: PLC0415
    from torch._inductor.exc import InvalidCxxCompiler  # noqa: PLC0415

    try:
        get_cpp_compiler()
    except InvalidCxxCompiler:
        raise StudyError(
            "compile: true needs a C++ compiler (g++ or clang++), and none was found; set it to false"
        ) from None
    return torch.compile(network)  # type: ignore[return-value]


def batch_rows(rows: Tensor, size: int) -> list[Tensor]:
    """Batches of one epoch; a last batch of one picture joins the one before: batch statistics need two."""
    batches = list(torch.split(rows, size))
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


def _refuse_divergence(losses: Tensor, epoch: int, recipe: Recipe) -> None:
    # Looked at once per epoch: a look at each step would stall a GPU.
    bad = (~torch.isfinite(losses)).nonzero()
    if len(bad):
        step = int(bad[0]) + 1
        raise StudyError(
            f"the training loss became {losses[step - 1].item()} in epoch {epoch}, step {step} of {len(losses)} "
            f"(lr {recipe.lr}, batch_size {recipe.batch_size}, optimizer {recipe.optimizer}, precision "
            f"{recipe.precision}); no checkpoint is written. Try a smaller lr, or precision 32-true"
        )


@torch.no_grad()
def predict(fabric: Fabric, network: nn.Module, data: Batches) -> Tensor:
    """Logits (N, classes) float32 of every picture, in order, in evaluation mode; each process computes its share."""
    network.eval()
    mine = torch.arange(len(data.labels))[fabric.global_rank :: fabric.world_size]
    with fabric.autocast():
        logits = torch.cat([network(data.batch(part, None)).float() for part in torch.split(mine, EVALUATION_BATCH)])
    if fabric.world_size == 1:
        return logits
    whole = logits.new_zeros((len(data.labels), logits.shape[1]))
    whole[mine.to(whole.device)] = logits
    return parallel.reduced(fabric, whole, "sum")
