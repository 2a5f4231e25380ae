"""The training loop: epochs of shuffled batches, then a pass over the validation pictures."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch._inductor.cpp_builder import get_cpp_compiler
from torch._inductor.exc import InvalidCxxCompiler
from torch.nn import functional as F

from stages.errors import StudyError
from stages.params import Recipe
from stages.training import networks, parallel
from stages.training.pictures import Batches, order

EVALUATION_BATCH = 64
OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
}


@dataclass(frozen=True)
class Epoch:
    """One row of the history; accuracies in 0..1, losses in nats, the gradient's norm as mean over the steps."""

    epoch: int
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    lr: float
    gradient_norm: float


def fabric_for(precision: str) -> Fabric:
    """A GPU where there is one, else the CPU; started by torchrun or srun, one of each for every process.

    The precision `auto` is bf16-mixed where the device has it, else 32-true. Raises StudyError for one that
    the device does not have.
    """
    torch.use_deterministic_algorithms(True, warn_only=True)
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


def optimizer_for(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The optimiser named in the recipe over what learns; SGD with momentum 0.9."""
    # Fused: on a CPU Adam's step on ResNet18 takes 11 ms so, and 43 ms as a loop over operations.
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    extra: dict[str, Any] = {"momentum": 0.9} if recipe.optimizer == "sgd" else {}
    return OPTIMIZERS[recipe.optimizer](
        learning,
        lr=recipe.lr,  # type: ignore[call-arg]
        weight_decay=recipe.weight_decay,
        fused=True,
        **extra,
    )


def fit(
    fabric: Fabric,
    network: nn.Module,
    train: Batches,
    validation: Batches,
    recipe: Recipe,
    epochs: int,
    classes: int,
    seed: int,
    advance: Callable[[], None] = lambda: None,
) -> Iterator[Epoch]:
    """Train and yield after each epoch, when the network still holds the gradients of its last step.

    The order of the pictures, their augmentation and dropout come from (seed, epoch) alone.
    `advance` is called after each step. Raises StudyError when the loss becomes NaN or infinite.
    """
    network_run = compiled(network) if recipe.compile else network
    model, optimizer = fabric.setup(network_run, optimizer_for(network, recipe))
    weight = balanced(train.labels, classes) if recipe.class_weights == "balanced" else None
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    rank, world = fabric.global_rank, fabric.world_size
    for epoch in range(1, epochs + 1):
        rate = learning_rate(recipe, epoch, epochs)
        for group in optimizer.param_groups:
            group["lr"] = rate
        torch.manual_seed((seed * 100_003 + epoch) % 2**31)  # dropout draws from torch's own generator
        networks.training_mode(network)
        losses, norms, correct = [], [], torch.zeros((), device=fabric.device)
        batches = batch_rows(order(seed, epoch, len(train.labels)), recipe.batch_size)
        for rows in batches:
            optimizer.zero_grad()
            mine = rows[rank::world]
            labels = train.labels[mine.to(fabric.device)]
            logits = model(train.batch(mine, epoch))
            loss = F.cross_entropy(logits, labels, weight, reduction="sum")
            # A mean over the rows of all processes, of which DDP takes the mean again.
            whole = len(rows) if weight is None else weight[train.labels[rows.to(fabric.device)]].sum()
            loss = loss / (whole / world)
            fabric.backward(loss)
            norms.append(nn.utils.get_total_norm([p.grad for p in learning if p.grad is not None]).detach())
            optimizer.step()
            losses.append(loss.detach())
            advance()
            correct += (logits.detach().argmax(dim=1) == labels).sum()
        loss_of_steps = parallel.reduced(fabric, torch.stack(losses), "mean")
        _refuse_divergence(loss_of_steps, epoch, recipe)
        sizes = torch.tensor([len(rows) for rows in batches], device=fabric.device)
        predicted = predict(fabric, network_run, validation)
        yield Epoch(
            epoch=epoch,
            train_loss=float((loss_of_steps * sizes).sum() / sizes.sum()),
            train_accuracy=int(parallel.reduced(fabric, correct, "sum")) / len(train.labels),
            val_loss=float(F.cross_entropy(predicted, validation.labels)),
            val_accuracy=int((predicted.argmax(dim=1) == validation.labels).sum()) / len(validation.labels),
            lr=rate,
            gradient_norm=float(torch.stack(norms).mean()),
        )


def compiled(network: nn.Module) -> nn.Module:
    """The network through torch.compile. Raises StudyError where there is no C++ compiler, which it needs."""
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
