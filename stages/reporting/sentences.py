"""Sentences of the summaries, each one a rule over the numbers; the thresholds stand here together."""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import fmean, stdev
from typing import Any

from stages.reporting.study import Model, Part
from stages.reporting.text import counted, listed, percent, plain, points

LIKE_MAJORITY = 0.02  # validation accuracy this near the share of the largest class: nothing learned yet
SETTLED = 0.01  # validation accuracy moved no more than this over the last epochs
LAST_EPOCHS = 3
UNSTABLE = 1.2  # validation loss rose by this factor from one epoch to the next, in the first third
OVERFITTED, OVERFITTED_BY = 1.1, 0.02  # validation loss ended above its lowest by this factor and by this much
WIDE_GAP = 0.05  # train accuracy minus validation accuracy
NARROW_GAP = 0.01
UNEVEN_ERRORS = 2.0  # one kind of error has this many times the rate of the other
OFTEN_CONFUSED = 0.3  # share of all errors that fall between two classes
EASY_CLASS, HARD_CLASS = 0.95, 0.85  # F1
CHANCE = 0.05  # a difference is called one only below this p


def convergence(models: Sequence[Model]) -> list[str]:
    """How one variant came to its result, for each of its seeds."""
    sentences = []
    for model in models:
        found = _course(model)
        named = f"Seed {model.result.seed}: " if len(models) > 1 else ""
        sentences.append(named + " ".join(found))
    return sentences


def strengths(variant: str, part: Part) -> list[str]:
    """What one variant does better than the others or well by itself."""
    models = part.variants()[variant]
    sentences = []
    for rank, measured in _ranked(part).items():
        others = {name: value for name, value in measured.items() if name != variant}
        if variant in measured and others and all(measured[variant] < value for value in others.values()):
            sentences.append(_BEST[rank].format(value=_shown(rank, measured[variant])))
    gap = _mean(models, "generalization_gap")
    if abs(gap) <= NARROW_GAP:
        sentences.append(f"Generalises well: train and validation accuracy differ by {points(abs(gap))}.")
    if not part.positive:
        easy = [label for label, f1 in _class_f1(models).items() if f1 >= EASY_CLASS]
        if easy:
            shown = [f"{plain(label)} ({_class_f1(models)[label]:.2f})" for label in easy]
            sentences.append(f"F1 of at least {EASY_CLASS:.2f} on {listed(shown)}.")
    return sentences or ["None by these rules."]


def weaknesses(variant: str, part: Part) -> list[str]:
    """What one variant does worse than the others or badly by itself."""
    models = part.variants()[variant]
    sentences = []
    for rank, measured in _ranked(part).items():
        others = {name: value for name, value in measured.items() if name != variant}
        everyone = len(measured) == len(part.variants())
        if everyone and others and all(measured[variant] > value for value in others.values()):
            sentences.append(_WORST[rank].format(value=_shown(rank, measured[variant])))
    if not all(model.scores["epochs_to"]["0.90"] for model in models):
        sentences.append("Did not reach 90 % validation accuracy" + (" with every seed." if len(models) > 1 else "."))
    accuracy, majority = _mean(models, "accuracy"), majority_share(models[0])
    if accuracy <= majority + LIKE_MAJORITY:
        sentences.append(f"No better than always naming the largest class, which gives {percent(majority)}.")
    gap = _mean(models, "generalization_gap")
    if gap >= WIDE_GAP:
        sentences.append(f"Overfits: train accuracy lies {points(gap)} above validation accuracy.")
    if part.positive:
        sentences += _uneven_errors(models)
    else:
        sentences += _confusions(models)
    return sentences or ["None by these rules."]


def comparisons(part: Part) -> list[str]:
    """Which variant is ahead, and whether the difference is more than chance; what pretraining did for each class."""
    variants = part.variants()
    accuracy = {name: _mean(models, "accuracy") for name, models in variants.items()}
    order = sorted(accuracy, key=lambda name: -accuracy[name])
    best = order[0]
    sentences = [f"{_title(variants[best])} has the highest validation accuracy, {percent(accuracy[best])}."]
    for other in order[1:]:
        sentences.append(_difference(variants[best], variants[other]))
    if len(order) > 1:
        sentences.append(_largest_recall_gain(variants[best], variants[order[-1]]))
    if not part.positive:
        f1 = {label: fmean(_class_f1(models)[label] for models in variants.values()) for label in _labels(part)}
        easiest, hardest = max(f1, key=lambda label: f1[label]), min(f1, key=lambda label: f1[label])
        sentences.append(
            f"Over all variants, {plain(easiest)} is the easiest class (mean F1 {f1[easiest]:.2f})"
            f" and {plain(hardest)} the hardest ({f1[hardest]:.2f})."
        )
    return sentences


def majority_share(model: Model) -> float:
    """Accuracy in 0..1 of always naming the class with the most validation pictures."""
    support: list[int] = [values["support"] for values in model.scores["per_class"].values()]
    return max(support) / sum(support)


def spread(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation (of a sample; 0 for one value)."""
    return fmean(values), stdev(values) if len(values) > 1 else 0.0


def sign_test(better: int, worse: int) -> float:
    """Two-sided p of the exact sign test: `better` and `worse` of the pairs that differ (McNemar's test, exact)."""
    pairs = better + worse
    tail = sum(math.comb(pairs, hits) for hits in range(min(better, worse) + 1))
    return float(min(1.0, 2 * tail / 2**pairs))


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


def _course(model: Model) -> list[str]:
    history, scores = model.result.history, model.scores
    accuracy, loss = history["val_accuracy"].tolist(), history["val_loss"].tolist()
    epochs = [int(epoch) for epoch in history["epoch"]]
    majority = majority_share(model)
    sentences = [
        f"Validation accuracy went from {percent(accuracy[0])} after epoch {epochs[0]} to {percent(accuracy[-1])}"
        f" after epoch {epochs[-1]}."
    ]
    if abs(accuracy[0] - majority) <= LIKE_MAJORITY:
        sentences.append(f"After epoch 1 it was about the share of the largest class, {percent(majority)}.")
    for level in ("0.90", "0.95"):
        epoch = scores["epochs_to"][level]
        when = f"was reached in epoch {epoch}" if epoch else f"was not reached in {counted(len(epochs), 'epoch')}"
        sentences.append(f"{float(level):.0%}".replace("%", " %") + f" {when}.")
    for place in range(1, max(2, len(epochs) // 3)):
        if place < len(loss) and loss[place] > UNSTABLE * loss[place - 1]:
            sentences.append(
                f"The start was unstable: validation loss rose from {loss[place - 1]:.2f} to {loss[place]:.2f}"
                f" in epoch {epochs[place]}."
            )
            break
    tail = accuracy[-LAST_EPOCHS:]
    if len(accuracy) > LAST_EPOCHS:
        if max(tail) - min(tail) <= SETTLED:
            sentences.append(
                f"Over the last {LAST_EPOCHS} epochs it had settled, within {points(max(tail) - min(tail))}."
            )
        elif tail == sorted(tail) and tail[-1] >= max(accuracy):
            sentences.append("It was still rising when training ended.")
        else:
            sentences.append(f"Over the last {LAST_EPOCHS} epochs it still moved by {points(max(tail) - min(tail))}.")
    lowest = loss.index(min(loss))
    if loss[-1] > max(OVERFITTED * loss[lowest], OVERFITTED_BY + loss[lowest]):
        sentences.append(
            f"Validation loss was lowest in epoch {epochs[lowest]} ({loss[lowest]:.3f})"
            f" and ended at {loss[-1]:.3f}, a sign of overfitting."
        )
    return sentences


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


def _shown(rank: str, value: float) -> str:
    if rank == "accuracy":
        return percent(-value)
    if rank == "macro_f1":
        return f"{-value:.3f}"
    return f"{value:,.0f}" if float(value).is_integer() or rank in ("seconds", "memory") else f"{value:,.1f}"


def _uneven_errors(models: Sequence[Model]) -> list[str]:
    supports = models[0].scores["per_class"]
    positive = models[0].scores["positive"]
    others = sum(values["support"] for label, values in supports.items() if label != positive)
    misses = _mean(models, "false_negatives") / max(1, supports[positive]["support"])
    alarms = _mean(models, "false_positives") / max(1, others)
    if misses > UNEVEN_ERRORS * alarms:
        return [
            f"Misses {plain(positive)} ({percent(misses)}) more often than it names it wrongly ({percent(alarms)})."
        ]
    if alarms > UNEVEN_ERRORS * misses:
        return [
            f"Names {plain(positive)} wrongly ({percent(alarms)}) more often than it misses it ({percent(misses)})."
        ]
    return []


def _confusions(models: Sequence[Model]) -> list[str]:
    f1 = _class_f1(models)
    hard = [f"{plain(label)} ({value:.2f})" for label, value in f1.items() if value < HARD_CLASS]
    sentences = [f"F1 below {HARD_CLASS:.2f} on {listed(hard)}."] if hard else []
    for model in models:
        pair, total = worst_pair(model.scores), errors(model.scores)
        if pair and pair[2] / total >= OFTEN_CONFUSED:
            named = f"Seed {model.result.seed}: " if len(models) > 1 else ""
            sentences.append(
                f"{named}{plain(pair[0])} and {plain(pair[1])} are taken for one another in {pair[2]} of"
                f" {counted(total, 'error')} ({percent(pair[2] / total)})."
            )
    return sentences


def _difference(best: Sequence[Model], other: Sequence[Model]) -> str:
    ahead = _mean(best, "accuracy") - _mean(other, "accuracy")
    if ahead == 0:
        return f"{_title(other)} has the same accuracy."
    start = f"It lies {points(ahead)} above {_title(other)}"
    if len(best) > 1:
        lowest = min(model.scores["accuracy"] for model in best)
        highest = max(model.scores["accuracy"] for model in other)
        apart = "every seed of it above every seed of the other" if lowest > highest else "and their seeds overlap"
        return f"{start} in the mean over {counted(len(best), 'seed')}, {apart}."
    pairs = best[0].predictions.merge(other[0].predictions, on="file", suffixes=("_best", "_other"))
    right = pairs["prediction_best"] == pairs["truth_best"]
    other_right = pairs["prediction_other"] == pairs["truth_other"]
    better, worse = int((right & ~other_right).sum()), int((~right & other_right).sum())
    chance = sign_test(better, worse)
    verdict = "more than chance explains" if chance < CHANCE else "which chance could explain"
    return (
        f"{start}: right on {counted(better, 'picture')} where the other is wrong, wrong on {worse} where it is"
        f" right, {verdict} (exact sign test, p = {chance:.2g})."
    )


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
