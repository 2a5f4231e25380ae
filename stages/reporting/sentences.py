"""Sentences of the summaries, each one a rule over the numbers; rules.py holds the thresholds."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import fmean
from typing import Any

from stages.reporting import robustness, rules
from stages.reporting.study import Model, Part, majority_share
from stages.reporting.text import counted, listed, percent, plain, points, within


def strengths(variant: str, part: Part) -> list[str]:
    """What one variant does better than the others or well by itself."""
    models = part.variants()[variant]
    sentences = []
    for rank, measured in _ranked(part).items():
        others = {name: value for name, value in measured.items() if name != variant}
        if variant in measured and others and all(measured[variant] < value for value in others.values()):
            sentences.append(_BEST[rank].format(value=_shown(rank, measured[variant], models)))
            if rank == "accuracy":
                sentences += _unproven(variant, part)
    gap = _mean(models, "generalization_gap")
    if abs(gap) <= rules.NARROW_GAP:
        sentences.append(f"Generalises well: train and validation accuracy differ by {points(abs(gap))}.")
    if not part.positive:
        easy = [label for label, f1 in _class_f1(models).items() if f1 >= rules.EASY_CLASS]
        if easy:
            shown = [f"{plain(label)} ({_class_f1(models)[label]:.2f})" for label in easy]
            sentences.append(f"F1 of at least {rules.EASY_CLASS:.2f} on {listed(shown)}.")
    sentences += robustness.strengths(models)
    return sentences or ["None by these rules."]


def weaknesses(variant: str, part: Part) -> list[str]:
    """What one variant does worse than the others or badly by itself."""
    models = part.variants()[variant]
    sentences = []
    for rank, measured in _ranked(part).items():
        others = {name: value for name, value in measured.items() if name != variant}
        everyone = len(measured) == len(part.variants())
        if everyone and others and all(measured[variant] > value for value in others.values()):
            sentences.append(_WORST[rank].format(value=_shown(rank, measured[variant], models)))
            if rank == "accuracy":
                sentences += _unproven(variant, part)
    sentences += _nothing_learned(models)
    if not all(model.scores["epochs_to"]["0.90"] for model in models):
        sentences.append("Did not reach 90 % validation accuracy" + (" with every seed." if len(models) > 1 else "."))
    accuracy, majority = _mean(models, "accuracy"), majority_share(models[0])
    if accuracy <= majority + rules.LIKE_MAJORITY:
        sentences.append(f"No better than always naming the largest class, which gives {percent(majority)}.")
    gap = _mean(models, "generalization_gap")
    if gap >= rules.WIDE_GAP:
        sentences.append(f"Overfits: train accuracy lies {points(gap)} above validation accuracy.")
    if part.positive:
        sentences += _uneven_errors(models)
    else:
        sentences += _confusions(models)
    sentences += robustness.weaknesses(models)
    return sentences or ["None by these rules."]


def comparisons(part: Part) -> list[str]:
    """Which variant is ahead, and whether the difference is more than chance; what pretraining did for each class."""
    variants = part.variants()
    accuracy = {name: _mean(models, "accuracy") for name, models in variants.items()}
    order = sorted(accuracy, key=lambda name: -accuracy[name])
    best = order[0]
    first = _shown("accuracy", -accuracy[best], variants[best])
    sentences = [f"{_title(variants[best])} has the highest validation accuracy, {first}."]
    for other in order[1:]:
        sentences.append(_difference(part, best, other))
    unlearned = [_title(models) for models in variants.values() if _nothing_learned(models)]
    if unlearned:
        sentences.append(f"Nothing was shown to be learned by {listed(unlearned)}.")
    if len(order) > 1:
        sentences.append(_largest_recall_gain(variants[best], variants[order[-1]]))
    if not part.positive:
        f1 = {label: fmean(_class_f1(models)[label] for models in variants.values()) for label in _labels(part)}
        easiest, hardest = max(f1, key=lambda label: f1[label]), min(f1, key=lambda label: f1[label])
        sentences.append(
            f"Over all variants, {plain(easiest)} is the easiest class (mean F1 {f1[easiest]:.2f})"
            f" and {plain(hardest)} the hardest ({f1[hardest]:.2f})."
        )
    return sentences + robustness.comparisons(variants)


def worst_pair(scores: Mapping[str, Any]) -> tuple[str, str, int] | None:
    """The two classes most often taken for one another, and how often; None without errors."""
    matrix, classes = scores["confusion_matrix"], scores["classes"]
    pairs = {
        (one, other): matrix[one][other] + matrix[other][one] for one, other in combinations(range(len(classes)), 2)
    }
    one, other = max(pairs, key=lambda pair: pairs[pair])
    return (classes[one], classes[other], pairs[one, other]) if pairs[one, other] else None


def errors(scores: Mapping[str, Any]) -> int:
    """Validation pictures off the diagonal of the confusion matrix."""
    matrix = scores["confusion_matrix"]
    return int(sum(map(sum, matrix)) - sum(matrix[place][place] for place in range(len(matrix))))


_BEST = {
    "accuracy": "Highest validation accuracy of the variants, {value}.",
    "macro_f1": "Highest macro F1, {value}.",
    "false_positives": "Fewest false positives, {value}.",
    "false_negatives": "Fewest false negatives, {value}.",
    "epochs_to": "First to reach 90 %, in epoch {value}.",
    "parameters": "Fewest trainable parameters, {value}.",
    "seconds": "Shortest training, {value} s.",
    "memory": "Least memory at its peak, {value} MB.",
}
_WORST = {
    "accuracy": "Lowest validation accuracy of the variants, {value}.",
    "macro_f1": "Lowest macro F1, {value}.",
    "false_positives": "Most false positives, {value}.",
    "false_negatives": "Most false negatives, {value}.",
    "epochs_to": "Last to reach 90 %, in epoch {value}.",
    "parameters": "Most trainable parameters, {value}.",
    "seconds": "Longest training, {value} s.",
    "memory": "Most memory at its peak, {value} MB.",
}


def _ranked(part: Part) -> dict[str, dict[str, float]]:
    """Measures of each variant, the mean over its seeds, signed so that less is better; only where measured."""
    ranked: dict[str, dict[str, float]] = {rank: {} for rank in _BEST}
    for name, models in part.variants().items():
        ranked["accuracy"][name] = -_mean(models, "accuracy")
        ranked["macro_f1"][name] = -_mean(models, "macro_f1")
        if part.positive:
            ranked["false_positives"][name] = _mean(models, "false_positives")
            ranked["false_negatives"][name] = _mean(models, "false_negatives")
        reached = [model.scores["epochs_to"]["0.90"] for model in models]
        if all(reached):
            ranked["epochs_to"][name] = fmean(reached)
        ranked["parameters"][name] = models[0].scores["parameters"]["trainable"]
        for rank, key in (("seconds", "seconds"), ("memory", "peak_memory_mb")):
            timed = [model.timing[key] for model in models if model.timing and model.timing.get(key) is not None]
            if len(timed) == len(models):
                ranked[rank][name] = fmean(timed)
    return ranked


def _shown(rank: str, value: float, models: Sequence[Model]) -> str:
    """A measure in words; that of one training with its interval."""
    alone = models[0].scores if len(models) == 1 else {}
    if rank == "accuracy":
        return percent(-value) + within(alone.get("accuracy_interval"))
    if rank == "macro_f1":
        return f"{-value:.3f}" + within(alone.get("macro_f1_interval"), "{:.3f}")
    return f"{value:,.0f}" if float(value).is_integer() or rank in ("seconds", "memory") else f"{value:,.1f}"


def _uneven_errors(models: Sequence[Model]) -> list[str]:
    supports = models[0].scores["per_class"]
    positive = models[0].scores["positive"]
    others = sum(values["support"] for label, values in supports.items() if label != positive)
    misses = _mean(models, "false_negatives") / max(1, supports[positive]["support"])
    alarms = _mean(models, "false_positives") / max(1, others)
    if misses > rules.UNEVEN_ERRORS * alarms:
        return [
            f"Misses {plain(positive)} ({percent(misses)}) more often than it names it wrongly ({percent(alarms)})."
        ]
    if alarms > rules.UNEVEN_ERRORS * misses:
        return [
            f"Names {plain(positive)} wrongly ({percent(alarms)}) more often than it misses it ({percent(misses)})."
        ]
    return []


def _confusions(models: Sequence[Model]) -> list[str]:
    f1 = _class_f1(models)
    hard = [f"{plain(label)} ({value:.2f})" for label, value in f1.items() if value < rules.HARD_CLASS]
    sentences = [f"F1 below {rules.HARD_CLASS:.2f} on {listed(hard)}."] if hard else []
    for model in models:
        pair, total = worst_pair(model.scores), errors(model.scores)
        if pair and pair[2] / total >= rules.OFTEN_CONFUSED:
            named = f"Seed {model.result.seed}: " if len(models) > 1 else ""
            sentences.append(
                f"{named}{plain(pair[0])} and {plain(pair[1])} are taken for one another in {pair[2]} of"
                f" {counted(total, 'error')} ({percent(pair[2] / total)})."
            )
    return sentences


def _difference(part: Part, best: str, other: str) -> str:
    variants = part.variants()
    ahead = _mean(variants[best], "accuracy") - _mean(variants[other], "accuracy")
    title, pair = _title(variants[other]), _pair(part, best, other)
    start = f"It lies {points(ahead)} above {title}" if ahead else f"{title} has the same accuracy"
    verdict = "more than chance explains" if pair["p"] < rules.CHANCE else "which chance could explain"
    pairs = counted(len(variants) * (len(variants) - 1) // 2, "pair")
    if "seeds" in pair:
        trainings = counted(pair["seeds"], "fold" if part.split["folds"] else "seed")
        return (
            f"{start} in the mean over {trainings} (paired differences {points(pair['mean'])}"
            f" ± {100 * pair['deviation']:.1f}), {verdict} (paired t test, p = {pair['p']:.2g}, corrected for {pairs})."
        )
    better, worse = (pair["better"], pair["worse"]) if pair["first"] == best else (pair["worse"], pair["better"])
    return (
        f"{start}: right on {counted(better, 'picture')} where the other is wrong, wrong on {worse} where it is"
        f" right, {verdict} (McNemar's exact test, p = {pair['p']:.2g}, corrected for {pairs})."
    )


def _pair(part: Part, one: str, other: str) -> Mapping[str, Any]:
    """What the tests found between two variants: over the seeds where there are several."""
    found = part.differences["over_seeds"] or next(iter(part.differences["by_seed"].values()))
    pair: Mapping[str, Any] = next(each for each in found if {each["first"], each["second"]} == {one, other})
    return pair


def _unproven(variant: str, part: Part) -> list[str]:
    """With which variants the tests show no difference in accuracy."""
    variants = part.variants()
    alike = [
        _title(models)
        for other, models in variants.items()
        if other != variant and _pair(part, variant, other)["p"] >= rules.CHANCE
    ]
    return [f"(No difference in accuracy from {listed(alike)} is shown.)"] if alike else []


def _nothing_learned(models: Sequence[Model]) -> list[str]:
    """Where the model is not told from guessing: no seed's balanced accuracy has its interval above 1 / K classes."""
    scores = models[0].scores
    chance = 1 / sum(values["support"] > 0 for values in scores["per_class"].values())
    for model in models:
        value, interval = model.scores["balanced_accuracy"], model.scores["balanced_accuracy_interval"]
        low = interval[0] if interval else value
        if low > chance:
            return []
    shown = percent(scores["balanced_accuracy"]) + within(scores["balanced_accuracy_interval"])
    told = f"balanced accuracy {shown} is not shown to be above what guessing gives, {percent(chance)}"
    return [f"Nothing was shown to be learned: {told}."]


def _largest_recall_gain(best: Sequence[Model], last: Sequence[Model]) -> str:
    gains = {label: _recall(best, label) - _recall(last, label) for label in best[0].scores["classes"]}
    label = max(gains, key=lambda name: gains[name])
    if gains[label] <= 0:
        return f"It has no higher recall than {_title(last)} on any class."
    return (
        f"Its largest gain in recall over {_title(last)} is on {plain(label)}:"
        f" {percent(_recall(best, label))} against {percent(_recall(last, label))}."
    )


def _mean(models: Sequence[Model], key: str) -> float:
    return fmean(model.scores[key] for model in models)


def _recall(models: Sequence[Model], label: str) -> float:
    return fmean(model.scores["per_class"][label]["recall"] for model in models)


def _class_f1(models: Sequence[Model]) -> dict[str, float]:
    classes = models[0].scores["classes"]
    return {label: fmean(model.scores["per_class"][label]["f1"] for model in models) for label in classes}


def _labels(part: Part) -> list[str]:
    labels: list[str] = part.models[0].scores["classes"]
    return labels


def _title(models: Sequence[Model]) -> str:
    return plain(models[0].result.title)
