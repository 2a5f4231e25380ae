"""Conclusions on corrupted pictures and on probabilities, each a rule over the numbers."""

from collections.abc import Mapping, Sequence
from statistics import fmean

import pandas as pd

from facestudy.contracts.corruptions import OCCLUSIONS, TITLES
from facestudy.pages.markdown import listed, percent, plain, points, within
from facestudy.report import thresholds
from facestudy.report.study import Model


def strengths(models: Sequence[Model]) -> list[str]:
    """Which corruptions hardly harm the variant, and whether its probabilities mean what they say."""
    sentences = []
    unharmed = [TITLES[kind] for kind, lost in _accuracy_lost(models).items() if lost <= thresholds.SMALL_LOSS]
    if unharmed:
        sentences.append(
            f"Loses at most {points(thresholds.SMALL_LOSS)} to {listed(unharmed)} at strength {_strength(models)} of 5."
        )
    error = _calibration_error(models)
    if error <= thresholds.CALIBRATED:
        sentences.append(f"Its probabilities mean what they say: expected calibration error {percent(error)}.")
    return sentences


def weaknesses(models: Sequence[Model]) -> list[str]:
    """Which corruption harms it most, which true light or occlusion does, and whether it is overconfident."""
    sentences = []
    lost = _accuracy_lost(models)
    worst = max(lost, key=lambda kind: lost[kind], default=None)
    if worst is not None and lost[worst] >= thresholds.LARGE_LOSS:
        row = _strongest(models).to_dict("index")[worst]
        interval = (row["low"], row["high"]) if len(models) == 1 else None
        sentences.append(
            f"Most harmed by {TITLES[worst]}: at strength {_strength(models)} of 5 accuracy is"
            f" {percent(row['accuracy'])}{within(interval)}, {points(lost[worst])} lower."
        )
    if len(models) == 1:
        sentences += _hard_groups(models[0])
    error = _calibration_error(models)
    if error >= thresholds.MISCALIBRATED:
        temperatures = [value for value in (model.scores.calibration.temperature for model in models) if value]
        mean = fmean(temperatures) if temperatures else None
        direction = "" if mean is None else " overconfident:" if mean > 1 else " underconfident:"
        temperature = "" if mean is None else f" (temperature {mean:.2f})"
        sentences.append(
            f"Its probabilities mislead:{direction} expected calibration error {percent(error)}{temperature}."
        )
    return sentences


def comparisons(variants: Mapping[str, Sequence[Model]]) -> list[str]:
    """Which variant holds up best when something covers the face, and in low light."""
    sentences = []
    for words, kinds in (("something covers the face", OCCLUSIONS), ("light is low", ("low_light",))):
        tables = {variant: _strongest(models) for variant, models in variants.items()}
        accuracy = {
            variant: fmean(table["accuracy"][list(kinds)])
            for variant, table in tables.items()
            if set(kinds) <= set(table.index)
        }
        if len(accuracy) < 2:
            continue
        order = sorted(accuracy, key=lambda variant: -accuracy[variant])
        shown = listed([f"{variants[variant][0].title} {percent(accuracy[variant])}" for variant in order])
        first, second = order[:2]
        # Of several trainings no interval is known: the report then leaves the comparison to the reader.
        apart = all(tables[first]["low"][kind] > tables[second]["high"][kind] for kind in kinds)
        alike = len(variants[first]) == 1 and not apart
        verdict = "; the intervals of the first two are not apart" if alike else ""
        strength = _strength(next(iter(variants.values())))
        sentences.append(f"Where {words} (strength {strength} of 5), accuracy is {shown}{verdict}.")
    return sentences


def _strength(models: Sequence[Model]) -> int:
    """The greatest strength that was tried."""
    strengths = models[0].corruptions["strength"]
    return int(strengths.max()) if len(strengths) else 0


def _strongest(models: Sequence[Model]) -> pd.DataFrame:
    """Accuracy at the greatest strength, by kind, and its interval; means over the seeds."""
    table = pd.concat([model.corruptions for model in models])
    strongest = table[table["strength"] == _strength(models)]
    return strongest.groupby("kind", sort=False)[["accuracy", "low", "high"]].mean()


def _accuracy_lost(models: Sequence[Model]) -> dict[str, float]:
    """What each kind costs at the greatest strength, of an accuracy in 0..1."""
    accuracy = fmean(model.scores.accuracy for model in models)
    return {str(kind): accuracy - reached for kind, reached in _strongest(models)["accuracy"].items()}


def _hard_groups(model: Model) -> list[str]:
    sentences = []
    for column, groups in model.scores.by_group.items():
        for value, group in groups.items():
            if group.accuracy_interval[1] < model.scores.accuracy:
                shown = percent(group.accuracy) + within(group.accuracy_interval)
                sentences.append(f"Worse where {plain(column)} is {plain(value)}: {shown} of {group.pictures}.")
    return sentences


def _calibration_error(models: Sequence[Model]) -> float:
    return fmean(model.scores.calibration.expected_calibration_error for model in models)
