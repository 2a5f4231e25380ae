"""Balanced accuracy on corrupted validation pictures against the strength of the corruption, for a task's variants."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from facestudy.contracts.corruptions import COMPARED, TITLES
from facestudy.contracts.results import Result
from facestudy.figures.style import drawn, legend_below, new_figure

COLUMNS = 4


def corruptions(results: Sequence[Result], tables: Sequence[pd.DataFrame], heading: str) -> Figure:
    """A panel per kind: balanced accuracy with its 95 % interval at strength 0 (as prepared) and at each one tried.

    A line shows what guessing gives, 1 / K of the K classes that are there.
    """
    guessing = results[0].scores.guessing
    kinds = list(dict.fromkeys(tables[0]["kind"]))
    rows = -(-len(kinds) // COLUMNS)
    figure = new_figure(11, 0.9 + 2.4 * rows, heading)
    panels = figure.subplots(rows, COLUMNS, squeeze=False, sharex=True, sharey=True)
    for panel in panels.flat[len(kinds) :]:
        panel.set_visible(False)
    for panel, kind in zip(panels.flat, kinds, strict=False):
        for model, table in zip(drawn(results), tables, strict=True):
            scores = model.result.scores
            of_kind = table[table["kind"] == kind].sort_values("strength")
            as_prepared = [0, scores.balanced_accuracy, *scores.balanced_accuracy_interval]
            strength, reached, low, high = np.vstack([as_prepared, of_kind[COMPARED[1:]].to_numpy()]).T
            panel.errorbar(
                strength + 0.08 * model.offset,  # side by side, so that no interval hides another
                100 * reached,
                yerr=100 * np.stack([reached - low, high - reached]),
                color=model.colour,
                marker=model.marker,
                markersize=3.5,
                linewidth=1.2,
                elinewidth=0.8,
                capsize=2,
                label=model.label,
            )
        panel.axhline(100 * guessing, color="grey", linestyle=":", linewidth=1, label="guessing")
        panel.set_title(TITLES[kind])
        panel.set_xticks(range(6))
    for panel in panels[:, 0]:
        panel.set_ylabel("balanced accuracy (%)")
    for panel in panels[-1]:
        panel.set_xlabel("strength, 0 as prepared")
    legend_below(figure, panels.flat[0])
    return figure
