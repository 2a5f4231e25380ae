"""Loss and accuracy by epoch: of one model, and of a task's variants side by side."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stages.figures.results import Result
from stages.figures.style import COLOURS, MARKERS, TRAIN, VALIDATION, new_figure, shortened, whole_epochs


def curves(result: Result, heading: str) -> Figure:
    """The four curves of one model: train and validation loss and accuracy by epoch."""
    figure = new_figure(8.4, 3.3, heading)
    axes = figure.subplots(1, 2)
    history = result.history
    for axis, measure, scale in zip(axes, ("loss", "accuracy"), (1, 100), strict=True):
        for part, colour, marker, name in (("train", TRAIN, "o", "train"), ("val", VALIDATION, "s", "validation")):
            values = history[f"{part}_{measure}"] * scale
            axis.plot(history["epoch"], values, color=colour, marker=marker, markersize=3.5, label=name)
        whole_epochs(axis, int(history["epoch"].min()), int(history["epoch"].max()))
        axis.set_ylabel("loss (cross-entropy)" if measure == "loss" else "accuracy (%)")
        axis.legend(loc="best")
    axes[0].set_ylim(bottom=0)
    kept = result.scores["epoch"]["kept"]
    if kept != history["epoch"].max():
        for axis in axes:
            axis.axvline(kept, color="#777777", linestyle=":", linewidth=1)
        axes[0].set_title(f"dotted: epoch {kept}, the one kept")
    return figure


def comparison(results: Sequence[Result], heading: str) -> Figure:
    """The variants of a task side by side: curves, final accuracy with its 95 % interval, F1 of each class."""
    variants = list(dict.fromkeys(result.variant for result in results))
    classes: list[str] = results[0].scores["classes"]
    figure = new_figure(9.6, 6.4 + 0.16 * max(0, len(classes) - 6), heading)
    panels = figure.subplots(2, 2)
    _curves(panels[0, 0], results, variants, "loss", 1)
    _curves(panels[0, 1], results, variants, "accuracy", 100)
    panels[0, 0].set_ylim(bottom=0)
    _accuracies(panels[1, 0], results, variants)
    _classes(panels[1, 1], results, variants, classes)
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(labels)))
    return figure


def notice(text: str, heading: str) -> Figure:
    """A figure that says why there is nothing to draw."""
    figure = new_figure(8.4, 1.6, heading)
    figure.text(0.5, 0.4, shortened(text, 400), ha="center", va="center", wrap=True, parse_math=False)
    return figure


def _curves(axis: Axes, results: Sequence[Result], variants: list[str], measure: str, scale: float) -> None:
    last = 1
    for result in results:
        place = variants.index(result.variant)
        # One legend entry per variant: further seeds are drawn alike.
        first = next(other for other in results if other.variant == result.variant) is result
        epochs = result.history["epoch"]
        last = max(last, int(epochs.max()))
        colour = COLOURS[place % len(COLOURS)]
        label = shortened(result.title, 30) if first else None
        validation = result.history[f"val_{measure}"] * scale
        marker = MARKERS[place % len(MARKERS)]
        axis.plot(epochs, validation, color=colour, marker=marker, markersize=3.5, label=label)
        train = result.history[f"train_{measure}"] * scale
        axis.plot(epochs, train, color=colour, linestyle="--", linewidth=1, alpha=0.8)
    whole_epochs(axis, 1, last)
    axis.set_ylabel("loss (cross-entropy)" if measure == "loss" else "accuracy (%)")
    axis.set_title(f"{measure.capitalize()}: validation solid, train dashed")


def _accuracies(axis: Axes, results: Sequence[Result], variants: list[str]) -> None:
    for result, height in zip(results, _heights(results, variants), strict=True):
        place = variants.index(result.variant)
        accuracy = float(result.scores["accuracy"])
        low, high = result.scores["accuracy_interval"]
        axis.errorbar(
            100 * accuracy,
            height,
            xerr=[[100 * (accuracy - low)], [100 * (high - accuracy)]],
            color=COLOURS[place % len(COLOURS)],
            marker=MARKERS[place % len(MARKERS)],
            capsize=3,
        )
        beside = (100 * high, height)
        axis.annotate(f"{100 * accuracy:.1f}", beside, (5, 0), textcoords="offset points", ha="left", va="center")
    axis.margins(x=0.12)
    titles = {result.variant: result.title for result in results}
    axis.set_yticks(range(len(variants)), [shortened(titles[variant], 22) for variant in variants])
    axis.set_ylim(len(variants) - 0.5, -0.5)
    axis.set_xlabel("validation accuracy (%), bar: 95 % interval")
    axis.set_title("Final validation accuracy")


def _heights(results: Sequence[Result], variants: list[str]) -> list[float]:
    """Where each model stands on an axis with a place per variant; a variant's seeds share its place out."""
    heights = []
    for result in results:
        mates = [other.seed for other in results if other.variant == result.variant]
        shift = (mates.index(result.seed) - (len(mates) - 1) / 2) * 0.7 / len(mates)
        heights.append(variants.index(result.variant) + shift)
    return heights


def _classes(axis: Axes, results: Sequence[Result], variants: list[str], classes: list[str]) -> None:
    for result in results:
        place = variants.index(result.variant)
        shift = (place - (len(variants) - 1) / 2) * 0.2
        values = [result.scores["per_class"][label]["f1"] for label in classes]
        colour, marker = COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]
        axis.scatter(values, np.arange(len(classes)) + shift, color=colour, marker=marker, s=26)
    axis.set_yticks(range(len(classes)), [shortened(label) for label in classes])
    axis.set_ylim(len(classes) - 0.5, -0.5)
    axis.set_xlim(right=1.005)
    axis.set_xlabel("F1 on the validation pictures")
    axis.set_title("F1 of each class")
