"""Whether probabilities mean what they say; for a binary task also the ROC and DET curves."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from facestudy.contracts.results import Result
from facestudy.contracts.scores import Calibration, CalibrationScores
from facestudy.figures.style import COLOURS, new_figure

RATES = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5]


def calibration(result: Result, points: pd.DataFrame, heading: str) -> Figure:
    """Reliability diagram; beside it, where `points` holds the ROC curve's corners, ROC and DET curves."""
    panels = 3 if len(points) else 1
    figure = new_figure(3.7 * panels + 0.6, 3.6, heading)
    axes = figure.subplots(1, panels, squeeze=False)[0]
    _reliability(axes[0], result.scores.calibration)
    if len(points):
        _roc(axes[1], points, result)
        _det(axes[2], points, result)
    return figure


def _reliability(axis: Axes, plain: Calibration) -> None:
    series: list[tuple[str, CalibrationScores, str, str]] = [("as trained", plain, COLOURS[0], "o")]
    if plain.with_temperature:
        name = f"temperature {plain.fitted_temperature:.2f}" + (", not applied" if plain.not_applied else "")
        series.append((name, plain.with_temperature, COLOURS[1], "s"))
    axis.plot([0, 100], [0, 100], color="#777777", linestyle=":", linewidth=1)
    for name, scores, colour, marker in series:
        bins = pd.DataFrame(dict(scores.bins))
        bins = bins[bins["pictures"] > 0]
        label = f"{name}: ECE {100 * scores.expected_calibration_error:.1f} %"
        axis.plot(100 * bins["confidence"], 100 * bins["accuracy"], color=colour, linewidth=1, label=label)
        # The area of a mark is the share of the pictures.
        sizes = 12 + 180 * bins["pictures"] / bins["pictures"].sum()
        axis.scatter(100 * bins["confidence"], 100 * bins["accuracy"], s=sizes, color=colour, marker=marker, alpha=0.8)
    axis.set_xlim(0, 103)
    axis.set_ylim(0, 106)
    axis.set_xlabel("confidence (%)")
    axis.set_ylabel("right (%)")
    axis.set_title("Reliability; marks as large as their share")
    axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), fontsize=8)  # below the axis: points lie anywhere


def _roc(axis: Axes, points: pd.DataFrame, result: Result) -> None:
    axis.plot(100 * points["false_accept_rate"], 100 * points["true_accept_rate"], color=COLOURS[0])
    axis.plot([0, 100], [0, 100], color="#777777", linestyle=":", linewidth=1)
    axis.set_xlabel("false accepts (%)")
    axis.set_ylabel("true accepts (%)")
    axis.set_title(f"ROC, area {result.scores.roc_auc:.3f}")


def _det(axis: Axes, points: pd.DataFrame, result: Result) -> None:
    """Both error rates on logarithmic axes, which begin at half an error; a rate of 0 is drawn there."""
    support = {label: scores.support for label, scores in result.scores.per_class.items()}
    targets = support.pop(result.scores.positive or "")
    min_false_accepts, min_missed = 0.5 / sum(support.values()), 0.5 / targets
    false_accepts = points["false_accept_rate"].clip(lower=min_false_accepts)
    missed = (1 - points["true_accept_rate"]).clip(lower=min_missed)
    axis.plot(100 * false_accepts, 100 * missed, color=COLOURS[0], drawstyle="steps-post")
    axis.set(xscale="log", xlim=(100 * min_false_accepts, 100), xlabel="false accepts (%)")
    axis.set(yscale="log", ylim=(100 * min_missed, 100), ylabel="false rejects (%)")
    for ruler, lowest in ((axis.xaxis, min_false_accepts), (axis.yaxis, min_missed)):
        ruler.set_major_locator(FixedLocator([100 * rate for rate in RATES if rate >= lowest]))
        ruler.set_minor_locator(NullLocator())
        ruler.set_major_formatter(lambda value, _: f"{value:g}")
    axis.set_title("DET; the axes end at half an error")
