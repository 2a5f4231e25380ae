"""Confusion matrices: the counts, and each cell standardised across the whole matrix."""

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from facestudy.contracts.results import Result
from facestudy.figures.style import new_figure, shortened

SHORT = 8  # signs of a label that fits below a column


def confusion(result: Result, heading: str) -> Figure:
    """Counts and z-scores side by side; rows the truth, columns the prediction, in class order."""
    classes = [shortened(label) for label in result.scores.classes]
    side = 2.7 + 0.28 * len(classes)
    beside = 0.09 * max(0, _longest(classes) - SHORT)  # inches for long labels, so that the matrices keep their size
    figure = new_figure(2 * (side + beside) + 1.0, side + 0.6 * beside + 0.2, heading)
    left, right = figure.subplots(1, 2)
    counts = np.asarray(result.scores.confusion_matrix, dtype=float)
    zscores = np.asarray(result.scores.confusion_matrix_zscore, dtype=float)
    bar = _matrix(left, counts, classes, "{:.0f}", "Blues", (0.0, max(1.0, float(counts.max()))))
    bar.locator = MaxNLocator("auto", integer=True)
    left.set_title("Pictures")
    # Equal arms put the diverging scale's white at 0, the mean of all cells.
    arm = max(1.0, float(np.abs(zscores).max()))
    bar = _matrix(right, zscores, classes, "{:+.2f}", "RdBu_r", (-arm, arm))
    right.set_title("z-score")
    bar.set_label("0: the mean of all cells")  # not in the title, which is as wide as a small matrix at most
    return figure


def _longest(classes: list[str]) -> int:
    return max(map(len, classes))


def _matrix(
    axis: Axes,
    values: NDArray[np.float64],
    classes: list[str],
    template: str,
    colours: str,
    limits: tuple[float, float],
) -> Colorbar:
    low, high = limits
    image = axis.imshow(values, cmap=colours, vmin=low, vmax=high)
    size = 9.5 if len(classes) <= 6 else max(4.0, 57 / len(classes))
    for (row, column), value in np.ndenumerate(values):
        red, green, blue, _ = colormaps[colours]((value - low) / (high - low))
        dark = 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.5
        shown = template.format(value).replace("-", "−")
        axis.text(column, row, shown, ha="center", va="center", fontsize=size, color="white" if dark else "black")
    upright = len(classes) <= 3 and _longest(classes) <= SHORT
    axis.set_xticks(range(len(classes)), classes, rotation=0 if upright else 35, ha="center")
    axis.set_yticks(range(len(classes)), classes)
    axis.set_xlabel("prediction")
    axis.set_ylabel("truth")
    axis.grid(visible=False)
    return axis.figure.colorbar(image, ax=axis, shrink=0.8)
