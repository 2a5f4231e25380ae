"""Loss and accuracy by epoch: of one model, and of a task's variants side by side."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from facestudy.contracts.results import Result
from facestudy.figures.style import COLOURS, Drawn, drawn, legend_below, new_figure, shortened, whole_epochs

MEASURES = {"loss": (1, "loss (cross-entropy)"), "accuracy": (100, "accuracy (%)")}  # factor, axis


def curves(result: Result, heading: str) -> Figure:
    """The four curves of one model: train and validation loss and accuracy by epoch."""
    figure = new_figure(8.4, 3.3, heading)
    axes = figure.subplots(1, 2)
    history = result.history
    last = int(history["epoch"].max())
    for axis, (measure, (factor, name)) in zip(axes, MEASURES.items(), strict=True):
        for part, colour, marker, label in (
            ("train", COLOURS[0], "o", "train"),
            ("val", COLOURS[1], "s", "validation"),
        ):
            values = history[f"{part}_{measure}"] * factor
            axis.plot(history["epoch"], values, color=colour, marker=marker, markersize=3.5, label=label)
        whole_epochs(axis, int(history["epoch"].min()), last)
        axis.set_ylabel(name)
        axis.legend(loc="best")
    axes[0].set_ylim(bottom=0)
    kept = result.scores.epoch.kept
    if kept != last:
        for axis in axes:
            axis.axvline(kept, color="#777777", linestyle=":", linewidth=1)
        axes[0].set_title(f"dotted: epoch {kept}, the one kept")
    return figure


def comparison(results: Sequence[Result], heading: str) -> Figure:
    """The variants of a task side by side: curves, final accuracy with its 95 % interval, F1 of each class."""
    models, classes = drawn(results), results[0].scores.classes
    figure = new_figure(9.6, 6.4 + 0.16 * max(0, len(classes) - 6), heading)
    panels = figure.subplots(2, 2)
    for panel, measure in zip(panels[0], MEASURES, strict=True):
        _curves(panel, models, measure)
    panels[0, 0].set_ylim(bottom=0)
    _accuracies(panels[1, 0], models)
    _classes(panels[1, 1], models, classes)
    legend_below(figure, panels[0, 0])
    return figure


def notice(text: str, heading: str) -> Figure:
    """A figure that says why there is nothing to draw."""
    figure = new_figure(8.4, 1.6, heading)
    figure.text(0.5, 0.4, shortened(text, 400), ha="center", va="center", wrap=True)
    return figure


def _curves(axis: Axes, models: Sequence[Drawn], measure: str) -> None:
    factor, name = MEASURES[measure]
    for model in models:
        history = model.result.history
        train, validation = (history[f"{part}_{measure}"] * factor for part in ("train", "val"))
        colour, marker, label = model.colour, model.marker, model.label
        axis.plot(history["epoch"], validation, color=colour, marker=marker, markersize=3.5, label=label)
        axis.plot(history["epoch"], train, color=colour, linestyle="--", linewidth=1, alpha=0.8)
    whole_epochs(axis, 1, max(int(model.result.history["epoch"].max()) for model in models))
    axis.set_ylabel(name)
    axis.set_title(f"{measure.capitalize()}: validation solid, train dashed")


def _accuracies(axis: Axes, models: Sequence[Drawn]) -> None:
    """A row per variant, whose seeds are spread over its height."""
    titles = {model.variant: shortened(model.result.title, 24) for model in models}
    for model in models:
        seeds = [other.result.seed for other in models if other.variant == model.variant]
        shift = (seeds.index(model.result.seed) - (len(seeds) - 1) / 2) * 0.7 / len(seeds)
        accuracy, (low, high) = model.result.scores.accuracy, model.result.scores.accuracy_interval
        axis.errorbar(
            100 * accuracy,
            model.variant + shift,
            xerr=[[100 * (accuracy - low)], [100 * (high - accuracy)]],
            color=model.colour,
            marker=model.marker,
            capsize=3,
        )
        beside = (100 * high, model.variant + shift)
        axis.annotate(f"{100 * accuracy:.1f}", beside, (5, 0), textcoords="offset points", ha="left", va="center")
    axis.margins(x=0.12)
    axis.set_yticks(range(len(titles)), list(titles.values()))
    axis.set_ylim(len(titles) - 0.5, -0.5)
    axis.set_xlabel("validation accuracy (%), bar: 95 % interval")
    axis.set_title("Final validation accuracy")


def _classes(axis: Axes, models: Sequence[Drawn], classes: list[str]) -> None:
    for model in models:
        values = [model.result.scores.per_class[label].f1 for label in classes]
        rows = np.arange(len(classes)) + 0.2 * model.offset
        axis.scatter(values, rows, color=model.colour, marker=model.marker, s=26)
    axis.set_yticks(range(len(classes)), [shortened(label) for label in classes])
    axis.set_ylim(len(classes) - 0.5, -0.5)
    axis.set_xlim(right=1.005)
    axis.set_xlabel("F1 on the validation pictures")
    axis.set_title("F1 of each class")
