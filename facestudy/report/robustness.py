"""Conclusions on corrupted pictures and on probabilities, each a rule over the numbers."""

from collections.abc import Mapping, Sequence
from statistics import fmean

import pandas as pd

from facestudy.contracts.corruptions import OCCLUSIONS, TITLES
from facestudy.pages.markdown import counted, listed, percent, plain, points, within
from facestudy.report import thresholds
from facestudy.report.study import Model

# By accuracy a model that accepts nobody would seem hard to harm where the target is rare.
MEASURE = "balanced_accuracy"


def strengths(models: Sequence[Model]) -> list[str]:
    """Which corruptions hardly harm the variant, and whether it is well calibrated."""
    sentences = []
    unharmed = [TITLES[kind] for kind, lost in _lost(models).items() if lost <= thresholds.SMALL_LOSS]
    if unharmed and any(model.scores.above_guessing for model in models):  # else there is nothing to lose
        sentences.append(
            f"Loses at most {points(thresholds.SMALL_LOSS)} of balanced accuracy to {listed(unharmed)} at strength"
            f" {_strength(models)} of 5."
        )
    error = _calibration_error(models)
    if error <= thresholds.CALIBRATED:
        sentences.append(f"Well calibrated: expected calibration error {percent(error)}.")
    return sentences


def weaknesses(models: Sequence[Model]) -> list[str]:
    """Which corruption harms it most, which true light or occlusion does, and whether it is overconfident."""
    sentences = []
    lost = _lost(models)
    worst = max(lost, key=lambda kind: lost[kind], default=None)
    if worst is not None and lost[worst] >= thresholds.LARGE_LOSS:
        row = _strongest(models).to_dict("index")[worst]
        interval = (row[f"{MEASURE}_low"], row[f"{MEASURE}_high"]) if len(models) == 1 else None
        sentences.append(
            f"Most harmed by {TITLES[worst]}: at strength {_strength(models)} of 5 balanced accuracy is"
            f" {percent(row[MEASURE])}{within(interval)}, {points(lost[worst])} lower."
        )
    if len(models) == 1:
        sentences += _hard_groups(models[0])
    error = _calibration_error(models)
    if error >= thresholds.MISCALIBRATED:
        calibrations = [model.scores.calibration for model in models]
        fitted = [each.fitted_temperature for each in calibrations if each.fitted_temperature is not None]
        mean = fmean(fitted) if fitted else None
        direction = "" if mean is None else " overconfident:" if mean > 1 else " underconfident:"
        temperature = "" if mean is None else f" (fitted temperature {mean:.2f})"
        applied = sum(each.not_applied is None for each in calibrations)
        used = "A temperature is applied" if applied else "No temperature is applied"
        if len(models) > 1:
            used = f"One is applied to {applied} of {counted(len(models), 'model')}"
        sentences.append(
            f"Poorly calibrated:{direction} expected calibration error {percent(error)}{temperature}. {used}."
        )
    return sentences


def comparisons(variants: Mapping[str, Sequence[Model]]) -> list[str]:
    """Which variant holds up best when something covers the face, and in low light, and where one only guesses."""
    sentences = []
    for words, kinds in (("something covers the face", OCCLUSIONS), ("light is low", ("low_light",))):
        tables = {variant: _strongest(models) for variant, models in variants.items()}
        reached = {
            variant: fmean(table[MEASURE][list(kinds)])
            for variant, table in tables.items()
            if set(kinds) <= set(table.index)
        }
        if len(reached) < 2:
            continue
        order = sorted(reached, key=lambda variant: -reached[variant])
        shown = listed([f"{variants[variant][0].title} {percent(reached[variant])}" for variant in order])
        first, second = order[:2]
        # Of several trainings no interval is known: the report then leaves the comparison to the reader.
        apart = all(tables[first][f"{MEASURE}_low"][kind] > tables[second][f"{MEASURE}_high"][kind] for kind in kinds)
        alike = len(variants[first]) == 1 and not apart
        verdict = "; the intervals of the first two are not apart" if alike else ""
        strength, guessing = _strength(variants[first]), percent(variants[first][0].scores.guessing)
        sentences.append(
            f"Where {words} (strength {strength} of 5), balanced accuracy is {shown} (guessing: {guessing}){verdict}."
        )
    return sentences


def _strength(models: Sequence[Model]) -> int:
    """The greatest strength that was tried."""
    strengths = models[0].corruptions["strength"]
    return int(strengths.max()) if len(strengths) else 0


def _strongest(models: Sequence[Model]) -> pd.DataFrame:
    """Balanced accuracy at the greatest strength, by kind, and its interval; means over the seeds."""
    table = pd.concat([model.corruptions for model in models])
    strongest = table[table["strength"] == _strength(models)]
    return strongest.groupby("kind", sort=False)[[MEASURE, f"{MEASURE}_low", f"{MEASURE}_high"]].mean()


def _lost(models: Sequence[Model]) -> dict[str, float]:
    """What each kind costs at the greatest strength, of a balanced accuracy in 0..1."""
    as_prepared = fmean(model.scores.balanced_accuracy for model in models)
    return {str(kind): as_prepared - reached for kind, reached in _strongest(models)[MEASURE].items()}


def _hard_groups(model: Model) -> list[str]:
    """Which light or occlusion, or no found face, goes with more errors than the others, by Holm's corrected test."""
    sentences = []
    by_group = model.scores.by_group
    family = counted(sum(len(groups) for groups in by_group.values()), "group")
    for column, groups in by_group.items():
        for value, group in groups.items():
            others = group.others_accuracy
            if others is not None and group.accuracy < others and group.p < thresholds.CHANCE:
                shown = percent(group.accuracy) + within(group.accuracy_interval)
                sentences.append(
                    f"Worse where {plain(column.replace('_', ' '))} is {plain(value)}: {shown} of"
                    f" {counted(group.pictures, 'picture')},"
                    f" against {percent(others)} elsewhere (Fisher's exact test, p = {group.p:.2g}, corrected for the"
                    f" {family} of this model)."
                )
    return sentences


def _calibration_error(models: Sequence[Model]) -> float:
    return fmean(model.scores.calibration.expected_calibration_error for model in models)
