"""Accuracy on hard versions of the pictures, against how hard they are, for a task's variants."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from stages.figures.results import Result
from stages.figures.style import COLOURS, MARKERS, new_figure, shortened
from stages.scoring.kinds import TITLES


def challenges(results: Sequence[Result], tables: Sequence[pd.DataFrame], heading: str) -> Figure:
    """A panel per kind: accuracy with its 95 % interval at strength 0 (as prepared) and at each strength tried."""
    kinds = list(dict.fromkeys(tables[0]["kind"]))
    rows = -(-len(kinds) // 4)
    figure = new_figure(11, 0.9 + 2.4 * rows, heading)
    panels = figure.subplots(rows, 4, squeeze=False, sharex=True, sharey=True)
    variants = list(dict.fromkeys(result.variant for result in results))
    for panel in panels.flat[len(kinds) :]:
        panel.set_visible(False)
    for panel, kind in zip(panels.flat, kinds, strict=False):
        for result, table in zip(results, tables, strict=True):
            place = variants.index(result.variant)
            first = next(other for other in results if other.variant == result.variant) is result
            mine = table[table["kind"] == kind].sort_values("strength")
            low, high = result.scores["accuracy_interval"]
            steps = [0, *mine["strength"]]
            values = [result.scores["accuracy"], *mine["accuracy"]]
            below = [value - end for value, end in zip(values, [low, *mine["low"]], strict=True)]
            above = [end - value for value, end in zip(values, [high, *mine["high"]], strict=True)]
            shift = 0.08 * (place - (len(variants) - 1) / 2)  # side by side, so that no interval hides another
            panel.errorbar(
                [step + shift for step in steps],
                [100 * value for value in values],
                yerr=[[100 * value for value in side] for side in (below, above)],
                color=COLOURS[place % len(COLOURS)],
                marker=MARKERS[place % len(MARKERS)],
                markersize=3.5,
                linewidth=1.2,
                elinewidth=0.8,
                capsize=2,
                label=shortened(result.title, 30) if first else None,
            )
        panel.set_title(TITLES[kind])
        panel.set_xticks(range(6))
    for panel in panels[:, 0]:
        panel.set_ylabel("accuracy (%)")
    for panel in panels[-1]:
        panel.set_xlabel("strength, 0 as prepared")
    handles, labels = panels.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(labels)))
    return figure
