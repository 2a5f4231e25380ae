"""One look for every figure, and PNG bytes that repeat."""

import io
import textwrap
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.style import context
from matplotlib.text import Text
from PIL import Image

from facestudy.contracts.results import Result
from facestudy.figures import fonts
from facestudy.project.files import whole_file

# Okabe and Ito (2008), distinct with every common colour blindness; without the pale yellow, lost on white.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000"]
MARKERS = ["o", "s", "^", "D", "v", "P", "X"]
PALETTE = 160
TITLE_SIGNS = 10  # of a figure's title in an inch


@dataclass(frozen=True)
class Drawn:
    """A model among those of its task: variants differ in their look, the seeds of one have the same."""

    result: Result
    variant: int  # number of its variant
    offset: float  # of that number from the middle of the variants
    colour: str
    marker: str
    label: str | None  # in the legend: of the first seed alone


def drawn(results: Sequence[Result]) -> list[Drawn]:
    """How each model of a task is drawn, in the order of the results."""
    variants = list(dict.fromkeys(result.variant for result in results))
    models: list[Drawn] = []
    for result in results:
        number = variants.index(result.variant)
        offset = number - (len(variants) - 1) / 2
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        label = None if number in [model.variant for model in models] else shortened(result.title, 30)
        models.append(Drawn(result, number, offset, colour, marker, label))
    return models


def new_figure(width: float, height: float, title: str) -> Figure:
    """An empty figure, in inches, apart from matplotlib's global state; higher where its title needs further lines."""
    lines = title.split("\n")
    wrapped = [part for line in lines for part in textwrap.wrap(line, int(TITLE_SIGNS * width))]
    figure = Figure(figsize=(width, height + 0.2 * max(0, len(wrapped) - len(lines))))
    figure.suptitle("\n".join(wrapped), wrap=True)  # for signs that are wider than most
    return figure


def legend_below(figure: Figure, axes: Axes) -> None:
    """The legend of one panel, which holds for all, below the figure."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(labels)))


def png(figure: Figure) -> bytes:
    """The figure as PNG with a palette, a third of the size without; the same figure gives the same bytes.

    Signs that its font has not are drawn with a font of the system.
    """
    _add_fonts(figure)
    canvas = FigureCanvasAgg(figure)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # said once, by `fonts`
        # Half the time of savefig, which lays a figure out in a pass of its own.
        canvas.draw()  # type: ignore[no-untyped-call]
    pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    picture = Image.fromarray(pixels).convert("RGB").quantize(PALETTE, dither=Image.Dither.NONE)
    packed = io.BytesIO()
    picture.save(packed, format="PNG", optimize=True)
    return packed.getvalue()


def _add_fonts(figure: Figure) -> None:
    texts = [text for text in figure.findobj(Text) if isinstance(text, Text)]
    others = fonts.fallbacks("".join(text.get_text() for text in texts))
    if others:
        families = [fonts.family(path) for path in others]
        for text in texts:
            text.set_fontfamily([*text.get_fontfamily(), *families])


def save(path: Path, figure: Figure) -> None:
    """Write a figure as PNG."""
    with whole_file(path) as temporary:
        temporary.write_bytes(png(figure))


def whole_epochs(axes: Axes, first: int, last: int, ticks: int = 9) -> None:
    """At most `ticks` ticks, all at whole epochs."""
    step = max(1, -(-(last - first) // (ticks - 1)))
    axes.set_xticks(range(first, last + 1, step))
    axes.set_xlim(first - 0.5, last + 0.5)
    axes.set_xlabel("epoch")


def shortened(label: str, length: int = 14) -> str:
    """A label that fits beside an axis, control characters left out."""
    clean = "".join(sign if sign.isprintable() else " " for sign in label)
    clean = f" {clean}" if clean.startswith("_") else clean  # which matplotlib would leave out of a legend
    return clean if len(clean) <= length else clean[: length - 1] + "…"


def style() -> AbstractContextManager[None]:
    """Those of study.mplstyle over matplotlib's own, not the machine's settings, while a figure is made and saved."""
    return context(Path(__file__).with_name("study.mplstyle"), after_reset=True)
