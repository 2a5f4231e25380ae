"""Figures depend on what they show alone, not on the machine's settings of matplotlib."""

import pytest
from matplotlib import rcParams

from facestudy.figures.style import legend_below, new_figure, shortened, style


def test_a_title_that_starts_with_an_underscore_is_in_the_legend() -> None:
    figure = new_figure(3, 2, "heading")
    axes = figure.subplots()
    axes.plot([0, 1], label=shortened("_mine"))
    axes.plot([1, 0], label=shortened("other"))
    axes.plot([1, 1])  # of another seed of a variant, whose look the legend has
    legend_below(figure, axes)
    assert [text.get_text().strip() for text in figure.legends[0].get_texts()] == ["_mine", "other"]


def test_settings_of_the_machine_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(rcParams, "text.usetex", True)
    monkeypatch.setitem(rcParams, "lines.linewidth", 9.0)
    with style():
        assert not rcParams["text.usetex"] and rcParams["lines.linewidth"] == 1.5
        assert rcParams["font.size"] == 9
    assert rcParams["text.usetex"]
