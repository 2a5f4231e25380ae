"""Distributions of gradients and parameters over training, from histograms with edges of their own."""

import math
import re
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from facestudy.figures.style import COLOURS, legend_below, new_figure, shortened, whole_epochs

Array = NDArray[np.float64]
QUANTILES = np.array([0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0])
BANDS = ((0, 6, "#dce9f3", "all values"), (1, 5, "#9ecae1", "5 to 95 %"), (2, 4, COLOURS[0], "25 to 75 %"))
NORMALISATION = re.compile(r"(^|\.)(bn|norm)\d*\.|downsample\.1\.")
# Spread of all values over bin width: 64 for 64 bins that stay as they are. Above, scales differ so much between
# epochs that a linear axis would show the small ones as a flat line; below, a logarithm would only enlarge what one
# bin holds. The spread, not the largest value: scales of a normalisation lie close together, far from 0.
SYMLOG_FROM = 200.0


def chosen(names: Sequence[str], count: int = 4) -> list[int]:
    """Indices of at most `count` weights and as many biases, evenly spaced from the first layer to the last.

    Scales of normalisation layers give way to the weights of layers, where there are any.
    """
    weights = [index for index, name in enumerate(names) if not name.endswith("bias")]
    layers = [index for index in weights if not NORMALISATION.search(names[index])]
    biases = [index for index, name in enumerate(names) if name.endswith("bias")]
    return _spaced(layers or weights, count) + _spaced(biases, count)


def quantiles(counts: Array, edges: Array, shares: Array = QUANTILES) -> Array:
    """Values below which each share of a histogram lies; (B,) counts, (B+1,) edges, exact to within a bin.

    Where all values are one, its histogram reaches equally far to both sides of it, and all quantiles are that value.
    """
    total = counts.sum()
    if total == 0:
        return np.full(len(shares), np.nan)
    first, last = np.flatnonzero(counts)[[0, -1]]
    middle = edges.mean()
    if first == last and edges[first] <= middle <= edges[first + 1]:
        return np.full(len(shares), middle)
    below = np.concatenate([[0.0], np.cumsum(counts[first : last + 1])]) / total
    return np.interp(shares, below, edges[first : last + 2])


def distributions(
    counts: Array, edges: Array, names: Sequence[str], first_epoch: int, measure: str, heading: str
) -> Figure:
    """A panel per parameter, a column per epoch: the range, 5 to 95 %, 25 to 75 % and the median.

    `counts` (E, P, B), `edges` (E, P, B+1), one name for each of the P parameters.
    """
    columns = 4 if len(names) > 3 else len(names)
    rows = -(-len(names) // columns)
    figure = new_figure(max(4.6, 2.55 * columns), 0.9 + 1.95 * rows, heading)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for index, (panel, name) in enumerate(zip(panels, names, strict=False)):
        values = np.stack([quantiles(*pair) for pair in zip(counts[:, index], edges[:, index], strict=True)])
        widths = np.ptp(edges[:, index], axis=1) / counts.shape[2]
        _panel(panel, values, float(np.median(widths)), first_epoch)
        panel.set_title(shortened(name, 30), fontsize=8.5)
    for panel in panels[len(names) :]:
        panel.set_axis_off()
    for panel in panels[::columns]:
        panel.set_ylabel(measure)
    legend_below(figure, panels[0])
    return figure


def _spaced(indices: list[int], count: int) -> list[int]:
    if len(indices) <= count:
        return indices
    return [indices[round(step)] for step in np.linspace(0, len(indices) - 1, count)]


def _panel(axis: Axes, values: Array, bin_width: float, first_epoch: int) -> None:
    epochs = np.arange(first_epoch, first_epoch + len(values))
    for low, high, colour, label in BANDS:
        columns = [
            [(epoch - 0.46, bottom), (epoch - 0.46, top), (epoch + 0.46, top), (epoch + 0.46, bottom)]
            for epoch, bottom, top in zip(epochs, values[:, low], values[:, high], strict=True)
        ]
        axis.add_collection(PolyCollection(columns, facecolor=colour, linewidth=0, label=label))
    axis.hlines(values[:, 3], epochs - 0.46, epochs + 0.46, color="black", linewidth=1.2, label="median")
    axis.tick_params(labelsize=7.5)
    axis.yaxis.set_major_formatter("{x:.3g}")
    spread = float(np.nanmax(values, initial=-np.inf) - np.nanmin(values, initial=np.inf))
    if bin_width > 0 and spread / bin_width > SYMLOG_FROM:
        largest = float(np.nanmax(np.abs(values)))
        lowest, highest = math.ceil(math.log10(bin_width)), math.floor(math.log10(largest))
        axis.set_yscale("symlog", linthresh=10.0**lowest)
        powers = [10.0**power for power in range(lowest, highest + 1, 1 + (highest - lowest) // 3)]
        axis.set_yticks([-power for power in reversed(powers)] + [0.0] + powers)
        axis.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.minorticks_off()
        axis.annotate(
            "symlog", (0.98, 0.98), xycoords="axes fraction", ha="right", va="top", fontsize=7, color="#666666"
        )
    whole_epochs(axis, int(epochs[0]), int(epochs[-1]), 5)
