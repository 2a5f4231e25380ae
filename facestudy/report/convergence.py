"""Conclusions on how a training went, each a rule over its history."""

from collections.abc import Sequence

from facestudy.pages.markdown import counted, percent, points
from facestudy.report import thresholds
from facestudy.report.study import Model


def convergence(models: Sequence[Model]) -> list[str]:
    """How one variant came to its result, for each of its seeds."""
    sentences = []
    for model in models:
        prefix = f"Seed {model.result.seed}: " if len(models) > 1 else ""
        sentences.append(prefix + " ".join([*_accuracy(model), *_stability(model), *_ending(model)]))
    return sentences


def _accuracy(model: Model) -> list[str]:
    accuracy, epochs = (model.result.history[column].tolist() for column in ("val_accuracy", "epoch"))
    sentences = [
        f"Validation accuracy went from {percent(accuracy[0])} after epoch {epochs[0]} to {percent(accuracy[-1])}"
        f" after epoch {epochs[-1]}."
    ]
    if abs(accuracy[0] - model.majority_share) <= thresholds.NEAR_MAJORITY:
        sentences.append(f"After epoch 1 it was about the share of the largest class, {percent(model.majority_share)}.")
    for level, shown in (("0.90", "90 %"), ("0.95", "95 %")):
        epoch = model.scores.epochs_to[level]
        when = f"was reached in epoch {epoch}" if epoch else f"was not reached in {counted(len(epochs), 'epoch')}"
        sentences.append(f"{shown} {when}.")
    return sentences


def _stability(model: Model) -> list[str]:
    history = model.result.history
    sentences = []
    loss = history["val_loss"]
    rises = [
        index
        for index in range(1, min(len(loss), max(2, len(loss) // 3)))
        if loss[index] > thresholds.UNSTABLE * loss[index - 1]
    ]
    if rises:
        first = rises[0]
        sentences.append(
            f"The start was unstable: validation loss rose from {loss[first - 1]:.2f} to {loss[first]:.2f}"
            f" in epoch {history['epoch'][first]}."
        )
    norms = history["gradient_norm"].dropna()  # none where every step measured was left out, as 16-mixed may do
    if norms.empty:
        return sentences
    early = norms.head(thresholds.EARLY_EPOCHS)
    uneven = ", uneven" if early.max() > thresholds.UNEVEN_NORMS * early.min() else ""
    sentences.append(
        f"Gradient norms of the first {counted(len(early), 'epoch')} lay between {early.min():.2g} and"
        f" {early.max():.2g}{uneven}, at learning rates up to {history['lr'].max():g}; in the last epoch"
        f" {norms.iloc[-1]:.2g}."
    )
    return sentences


def _ending(model: Model) -> list[str]:
    history, sentences = model.result.history, []
    accuracy, loss = history["val_accuracy"].tolist(), history["val_loss"].tolist()
    tail = accuracy[-thresholds.LAST_EPOCHS :]
    if len(accuracy) > thresholds.LAST_EPOCHS:
        moved = max(tail) - min(tail)
        if moved <= thresholds.SETTLED:
            sentences.append(f"Over the last {thresholds.LAST_EPOCHS} epochs it had settled, within {points(moved)}.")
        elif tail == sorted(tail) and tail[-1] >= max(accuracy):
            sentences.append("It was still rising when training ended.")
        else:
            sentences.append(f"Over the last {thresholds.LAST_EPOCHS} epochs it still moved by {points(moved)}.")
    lowest = loss.index(min(loss))
    if loss[-1] > max(thresholds.OVERFITTED * loss[lowest], thresholds.OVERFITTED_BY + loss[lowest]):
        sentences.append(
            f"Validation loss was lowest in epoch {history['epoch'][lowest]} ({loss[lowest]:.3f})"
            f" and ended at {loss[-1]:.3f}, a sign of overfitting."
        )
    return sentences
