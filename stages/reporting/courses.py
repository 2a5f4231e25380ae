"""Sentences about how a training went, each a rule over its history."""

from collections.abc import Sequence

from stages.reporting import rules
from stages.reporting.study import Model, majority_share
from stages.reporting.text import counted, percent, points


def convergence(models: Sequence[Model]) -> list[str]:
    """How one variant came to its result, for each of its seeds."""
    sentences = []
    for model in models:
        named = f"Seed {model.result.seed}: " if len(models) > 1 else ""
        sentences.append(named + " ".join([*_course(model), *_gradients(model), *_ending(model)]))
    return sentences


def _course(model: Model) -> list[str]:
    accuracy = model.result.history["val_accuracy"].tolist()
    epochs = [int(epoch) for epoch in model.result.history["epoch"]]
    majority = majority_share(model)
    sentences = [
        f"Validation accuracy went from {percent(accuracy[0])} after epoch {epochs[0]} to {percent(accuracy[-1])}"
        f" after epoch {epochs[-1]}."
    ]
    if abs(accuracy[0] - majority) <= rules.LIKE_MAJORITY:
        sentences.append(f"After epoch 1 it was about the share of the largest class, {percent(majority)}.")
    for level in ("0.90", "0.95"):
        epoch = model.scores["epochs_to"][level]
        when = f"was reached in epoch {epoch}" if epoch else f"was not reached in {counted(len(epochs), 'epoch')}"
        sentences.append(f"{float(level):.0%}".replace("%", " %") + f" {when}.")
    return sentences


def _gradients(model: Model) -> list[str]:
    history = model.result.history
    sentences = []
    loss, epochs = history["val_loss"].tolist(), [int(epoch) for epoch in history["epoch"]]
    for place in range(1, max(2, len(epochs) // 3)):
        if place < len(loss) and loss[place] > rules.UNSTABLE * loss[place - 1]:
            sentences.append(
                f"The start was unstable: validation loss rose from {loss[place - 1]:.2f} to {loss[place]:.2f}"
                f" in epoch {epochs[place]}."
            )
            break
    if "gradient_norm" in history:
        early = history["gradient_norm"].head(rules.EARLY_EPOCHS)
        uneven = early.max() > rules.UNEVEN_NORMS * early.min()
        rate = f", at learning rates up to {history['lr'].max():g}" if "lr" in history else ""
        sentences.append(
            f"Gradient norms of the first {counted(len(early), 'epoch')} lay between {early.min():.2g} and"
            f" {early.max():.2g}{', uneven' if uneven else ''}{rate}; in the last epoch"
            f" {history['gradient_norm'].iloc[-1]:.2g}."
        )
    return sentences


def _ending(model: Model) -> list[str]:
    history, sentences = model.result.history, []
    accuracy, loss = history["val_accuracy"].tolist(), history["val_loss"].tolist()
    epochs = [int(epoch) for epoch in history["epoch"]]
    tail = accuracy[-rules.LAST_EPOCHS :]
    if len(accuracy) > rules.LAST_EPOCHS:
        moved = points(max(tail) - min(tail))
        if max(tail) - min(tail) <= rules.SETTLED:
            sentences.append(f"Over the last {rules.LAST_EPOCHS} epochs it had settled, within {moved}.")
        elif tail == sorted(tail) and tail[-1] >= max(accuracy):
            sentences.append("It was still rising when training ended.")
        else:
            sentences.append(f"Over the last {rules.LAST_EPOCHS} epochs it still moved by {moved}.")
    lowest = loss.index(min(loss))
    if loss[-1] > max(rules.OVERFITTED * loss[lowest], rules.OVERFITTED_BY + loss[lowest]):
        sentences.append(
            f"Validation loss was lowest in epoch {epochs[lowest]} ({loss[lowest]:.3f})"
            f" and ended at {loss[-1]:.3f}, a sign of overfitting."
        )
    return sentences
