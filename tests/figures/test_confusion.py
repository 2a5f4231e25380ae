from itertools import pairwise
from pathlib import Path

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from facestudy.contracts.results import Result
from facestudy.figures import style
from facestudy.figures.confusion import confusion
from tests.study_maker import TITLES, make_study


def assert_nothing_is_clipped(figure: Figure) -> None:
    """Every text lies within the figure, and no title reaches into other axes, as a colour bar."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    whole = figure.bbox
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        box = text.get_window_extent()
        if text.get_visible() and text.get_text().strip():
            inside = whole.x0 <= box.x0 and box.x1 <= whole.x1 and whole.y0 <= box.y0 and box.y1 <= whole.y1
            assert inside, text.get_text()
    for axes in figure.axes:
        labels = [label.get_window_extent() for label in axes.get_xticklabels() if label.get_rotation() == 0]
        assert not any(left.overlaps(right) for left, right in pairwise(labels))
        title = axes.title.get_window_extent()
        others = [other.get_tightbbox() for other in figure.axes if other is not axes]
        assert not any(title.overlaps(other) for other in others if other is not None)


NAMES = ["angry", "happy", "neutral", "sad", "surprise"]


@pytest.mark.parametrize(
    ("task", "names"),
    [("face", NAMES), ("emotion", NAMES[:2]), ("emotion", NAMES), ("emotion", ["neutral, at rest", "somewhat angry"])],
)
@pytest.mark.parametrize("heading", ["Face: VGG16, seed 0", "A long title that somebody gave to a variant, " * 4])
def test_no_word_of_a_matrix_of_any_size_is_clipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str, names: list[str], heading: str
) -> None:
    make_study(tmp_path, variants=["vgg16"], emotions=names, histograms=False)
    monkeypatch.chdir(tmp_path)
    result = Result.read(task, "vgg16", TITLES["vgg16"], 0)
    assert isinstance(result, Result)
    with style.style():
        figure = confusion(result, heading)
        assert_nothing_is_clipped(figure)
