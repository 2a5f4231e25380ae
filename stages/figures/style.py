"""One look for every figure, and PNG bytes that repeat."""

import io
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

# Okabe and Ito (2008), told apart with every common colour blindness; without the pale yellow, lost on white.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000"]
MARKERS = ["o", "s", "^", "D", "v", "P", "X"]
TRAIN, VALIDATION = COLOURS[0], COLOURS[1]
SETTINGS: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "text.parse_math": False,  # a `$` in a user's label is a dollar
}
DOTS_PER_INCH = 110
PALETTE = 160


def new_figure(width: float, height: float, title: str = "") -> Figure:
    """An empty figure, in inches, apart from matplotlib's global state."""
    figure = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained")
    if title:
        figure.suptitle(title, fontsize=11, fontweight="bold", parse_math=False)
    return figure


def png(figure: Figure) -> bytes:
    """The figure as PNG with a palette, which takes a third of the room; the same figure gives the same bytes."""
    canvas = FigureCanvasAgg(figure)
    # Half the time of savefig, which lays a figure out in a pass of its own.
    canvas.draw()  # type: ignore[no-untyped-call]
    packed = io.BytesIO()
    pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    drawn = Image.fromarray(pixels).convert("RGB")
    picture = drawn.quantize(PALETTE, dither=Image.Dither.NONE)
    picture.save(packed, format="PNG", optimize=True)
    return packed.getvalue()


def whole_epochs(axes: Axes, first: int, last: int, ticks: int = 9) -> None:
    """At most `ticks` ticks, all at whole epochs."""
    step = max(1, -(-(last - first) // (ticks - 1)))
    axes.set_xticks(range(first, last + 1, step))
    axes.set_xlim(first - 0.5, last + 0.5)
    axes.set_xlabel("epoch")


def shortened(label: str, length: int = 14) -> str:
    """A label that fits beside an axis, control characters left out."""
    clean = "".join(sign if sign.isprintable() else " " for sign in label)
    return clean if len(clean) <= length else clean[: length - 1] + "…"


def style() -> AbstractContextManager[None]:
    """The settings that hold while a figure is made and saved; what matplotlib had before comes back."""
    return rc_context(SETTINGS)
