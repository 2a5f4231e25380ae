"""Sentences about hard pictures and about probabilities, each a rule over the numbers."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from stages.reporting import rules
from stages.reporting.study import Model
from stages.reporting.text import listed, percent, plain, points, within
from stages.scoring.kinds import OCCLUSIONS, TITLES


def strengths(models: Sequence[Model]) -> list[str]:
    """What hardly harms the variant, and whether its probabilities mean what they say."""
    harm, strength = _harm(models), _strength(models)
    unharmed = [TITLES[kind] for kind, lost in harm.items() if lost <= rules.LITTLE_HARM]
    sentences = []
    if unharmed:
        sentences.append(
            f"Loses at most {points(rules.LITTLE_HARM)} to {listed(unharmed)} at strength {strength} of 5."
        )
    error = _calibration_error(models)
    if error <= rules.CALIBRATED:
        sentences.append(f"Its probabilities mean what they say: expected calibration error {percent(error)}.")
    return sentences


def weaknesses(models: Sequence[Model]) -> list[str]:
    """What harms it most, which true light or occlusion does, and whether it is too sure of itself."""
    harm, strength = _harm(models), _strength(models)
    sentences = []
    if harm:
        worst = max(harm, key=lambda kind: harm[kind])
        if harm[worst] >= rules.MUCH_HARM:
            reached, interval = _reached(models, worst, strength)
            sentences.append(
                f"Most harmed by {TITLES[worst]}: at strength {strength} of 5 accuracy is"
                f" {percent(reached)}{within(interval)}, {points(harm[worst])} lower."
            )
    if len(models) == 1:
        sentences += _hard_groups(models[0])
    error = _calibration_error(models)
    if error >= rules.MISCALIBRATED:
        temperatures = [model.scores["calibration"]["temperature"] for model in models]
        known = [value for value in temperatures if value is not None]
        way = "" if not known else " too sure:" if fmean(known) > 1 else " not sure enough:"
        mended = f" (temperature {fmean(known):.2f})" if known else ""
        sentences.append(f"Its probabilities mislead:{way} expected calibration error {percent(error)}{mended}.")
    return sentences


def comparisons(variants: Mapping[str, Sequence[Model]]) -> list[str]:
    """Which variant holds up best when something covers the face, and in low light."""
    strength = _strength(next(iter(variants.values())))
    sentences = []
    for name, kinds in (("something covers the face", OCCLUSIONS), ("light is low", ("low_light",))):
        reached = {
            variant: fmean(_reached(models, kind, strength)[0] for kind in kinds)
            for variant, models in variants.items()
            if set(kinds) <= set(models[0].challenges["kind"])
        }
        if len(reached) < 2:
            continue
        order = sorted(reached, key=lambda variant: -reached[variant])
        told = [f"{plain(variants[variant][0].result.title)} {percent(reached[variant])}" for variant in order]
        first, second = variants[order[0]], variants[order[1]]
        # Of several trainings no interval is known: the report then leaves the comparison to the reader.
        alike = len(first) == 1 and not _apart(first, second, kinds, strength)
        verdict = "; the intervals of the first two are not apart" if alike else ""
        sentences.append(f"Where {name} (strength {strength} of 5), accuracy is {listed(told)}{verdict}.")
    return sentences


def _apart(first: Sequence[Model], second: Sequence[Model], kinds: Sequence[str], strength: int) -> bool:
    """Whether the better one's intervals lie above the other's for each kind; of one training each."""
    ends = [(_reached(first, kind, strength)[1], _reached(second, kind, strength)[1]) for kind in kinds]
    return all(mine is not None and other is not None and mine[0] > other[1] for mine, other in ends)


def _strength(models: Sequence[Model]) -> int:
    """The greatest strength that was tried."""
    table = models[0].challenges
    return int(table["strength"].max()) if len(table) else 0


def _reached(models: Sequence[Model], kind: str, strength: int) -> tuple[float, list[float] | None]:
    """Mean accuracy over the seeds on one kind and strength; the interval where there is one training."""
    rows = []
    for model in models:
        table = model.challenges
        rows.append(table[(table["kind"] == kind) & (table["strength"] == strength)].iloc[0])
    interval = [float(rows[0]["low"]), float(rows[0]["high"])] if len(rows) == 1 else None
    return fmean(float(row["accuracy"]) for row in rows), interval


def _harm(models: Sequence[Model]) -> dict[str, float]:
    """Accuracy in 0..1 that each kind costs at the greatest strength."""
    strength, plainly = _strength(models), fmean(model.scores["accuracy"] for model in models)
    kinds = dict.fromkeys(models[0].challenges["kind"])
    return {kind: plainly - _reached(models, kind, strength)[0] for kind in kinds}


def _hard_groups(model: Model) -> list[str]:
    sentences = []
    for column, groups in model.scores.get("by_group", {}).items():
        for value, found in groups.items():
            if found["accuracy_interval"][1] < model.scores["accuracy"]:
                shown = percent(found["accuracy"]) + within(found["accuracy_interval"])
                sentences.append(f"Worse where {plain(column)} is {plain(value)}: {shown} of {found['pictures']}.")
    return sentences


def _calibration_error(models: Sequence[Model]) -> float:
    return fmean(model.scores["calibration"]["expected_calibration_error"] for model in models)
