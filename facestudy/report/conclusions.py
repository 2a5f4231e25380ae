"""Conclusions of the summaries, each one a rule over the numbers; thresholds.py holds the thresholds."""

from collections.abc import Sequence
from itertools import combinations
from statistics import fmean

from facestudy.contracts.differences import Difference, SeedDifference
from facestudy.contracts.scores import Scores
from facestudy.pages.markdown import counted, listed, percent, plain, points, within
from facestudy.report import robustness, thresholds
from facestudy.report.study import Model, Part


def answer(part: Part, source: str) -> list[str]:
    """Which variant is ahead, whether chance could explain that, and what to distrust."""
    variants = part.variants()
    accuracy = {name: _mean(models, "accuracy") for name, models in variants.items()}
    highest = max(accuracy.values())
    leaders = [name for name in variants if accuracy[name] == highest]
    behind = [name for name in variants if accuracy[name] < highest]
    shown = _shown("accuracy", highest, variants[leaders[0]])
    titles = listed([variants[name][0].title for name in leaders])
    doubts = f"Caveats: {'; '.join(_doubts(part, source))}."
    ends = [*_unlearned(part), doubts]
    if not behind:
        return [f"{titles} {'have the same accuracy' if len(leaders) > 1 else 'is the only variant'}, {shown}.", *ends]
    beyond = [name for name in behind if all(_pair(part, leader, name).p < thresholds.CHANCE for leader in leaders)]
    ahead, lead = ("are", "Their") if len(leaders) > 1 else ("is", "Its")
    chance = "Chance could explain this."
    if beyond:
        rest = "" if len(beyond) == len(behind) else "; the rest could be chance"
        names = listed([variants[name][0].title for name in beyond])
        chance = f"{lead} lead over {names} is more than chance explains{rest}."
    return [f"{titles} {ahead} ahead, with {shown}.", chance, *ends]


def _doubts(part: Part, source: str) -> list[str]:
    """Why the accuracies may be too high or too coarse, the gravest first."""
    scores, doubts = part.models[0].scores, []
    if source == "sample":
        doubts.append("the pictures are drawn (results on photos differ)")
    if part.leaks.exact_copies or part.leaks.near_copies:
        copies = part.leaks.exact_copies + part.leaks.near_copies
        doubts.append(f"{counted(copies, 'pair')} of copies on both sides of the split")
    if not part.leaks.people_known:
        doubts.append("people are not known, and may be on both sides of the split")
    if part.leaks.people:
        doubts.append(f"{counted(part.leaks.people, 'person', 'people')} on both sides of the split")
    if scores.epoch.rule == "best":
        doubts.append("the epoch was chosen on these very pictures")
    trained = next(iter(part.variants().values()))
    pictures = sum(each.support for model in trained for each in model.scores.per_class.values())
    if part.split.folds or len(trained) == 1:
        doubts.append(f"one of the {pictures:,} pictures changes the accuracy by {points(1 / pictures)}")
    return doubts or ["one set of pictures"]


def strengths(variant: str, part: Part) -> list[str]:
    """What one variant does better than the others or well by itself."""
    models = part.variants()[variant]
    sentences = _extremes(variant, part, best=True)
    gap = _mean(models, "generalization_gap")
    if abs(gap) <= thresholds.NARROW_GAP and not _nothing_learned(models):
        sentences.append(f"Generalises well: train and validation accuracy differ by {points(abs(gap))}.")
    if not models[0].scores.positive:
        easy = [f"{plain(label)} ({f1:.2f})" for label, f1 in _f1(models).items() if f1 >= thresholds.EASY_CLASS]
        if easy:
            sentences.append(f"F1 of at least {thresholds.EASY_CLASS:.2f} on {listed(easy)}.")
    sentences += robustness.strengths(models)
    return sentences or ["None by these rules."]


def weaknesses(variant: str, part: Part) -> list[str]:
    """What one variant does worse than the others or badly by itself."""
    models = part.variants()[variant]
    sentences = _extremes(variant, part, best=False) + _nothing_learned(models)
    if not all(model.scores.epochs_to["0.90"] for model in models):
        sentences.append("Did not reach 90 % validation accuracy" + (" with every seed." if len(models) > 1 else "."))
    if _near_majority(models):
        majority = percent(models[0].majority_share)
        sentences.append(f"No better than always naming the largest class, which gives {majority}.")
    gap = _mean(models, "generalization_gap")
    if gap >= thresholds.WIDE_GAP:
        sentences.append(f"Overfits: train accuracy lies {points(gap)} above validation accuracy.")
    positive = models[0].scores.positive
    sentences += _uneven_errors(models, positive) if positive else _confusions(models)
    sentences += robustness.weaknesses(models)
    return sentences or ["None by these rules."]


def comparisons(part: Part) -> list[str]:
    """Which variant is ahead, and whether the difference is more than chance; what pretraining did for each class."""
    variants = part.variants()
    accuracy = {name: _mean(models, "accuracy") for name, models in variants.items()}
    best, *others = sorted(accuracy, key=lambda name: -accuracy[name])
    shown = _shown("accuracy", accuracy[best], variants[best])
    sentences = [f"{variants[best][0].title} has the highest validation accuracy, {shown}."]
    sentences += [_difference(part, best, other) for other in others]
    sentences += _unlearned(part)
    if others:
        sentences.append(_largest_recall_gain(variants[best], variants[others[-1]]))
    if not part.models[0].scores.positive:
        f1 = {label: fmean(_f1(models)[label] for models in variants.values()) for label in _f1(part.models)}
        easiest, hardest = max(f1, key=lambda label: f1[label]), min(f1, key=lambda label: f1[label])
        sentences.append(
            f"Over all variants, {plain(easiest)} is the easiest class (mean F1 {f1[easiest]:.2f})"
            f" and {plain(hardest)} the hardest ({f1[hardest]:.2f})."
        )
    return sentences + robustness.comparisons(variants)


# By what variants are ranked: the sentence for the first and for the last.
EXTREMES = {
    "accuracy": ("Highest validation accuracy of the variants, {}.", "Lowest validation accuracy of the variants, {}."),
    "macro_f1": ("Highest macro F1, {}.", "Lowest macro F1, {}."),
    "false_positives": ("Fewest false positives, {}.", "Most false positives, {}."),
    "false_negatives": ("Fewest false negatives, {}.", "Most false negatives, {}."),
    "epochs_to_90": ("First to reach 90 %, in epoch {}.", "Last to reach 90 %, in epoch {}."),
    "parameters": ("Fewest trainable parameters, {}.", "Most trainable parameters, {}."),
    "peak_memory_mb": ("Least memory at its peak, {} MB.", "Most memory at its peak, {} MB."),
}
HIGHER_IS_BETTER = ("accuracy", "macro_f1")


def _extremes(variant: str, part: Part, best: bool) -> list[str]:
    """In which measures a variant is the first alone, or, where all are measured, the last alone."""
    variants = part.variants()
    measured = {name: _measured(models) for name, models in variants.items()}
    sentences = []
    for key, words in EXTREMES.items():
        values = {name: values[key] for name, values in measured.items() if key in values}
        own = values.pop(variant, None)
        if own is None or not values or not (best or len(values) == len(variants) - 1):
            continue
        higher = best == (key in HIGHER_IS_BETTER)
        if all(own > other if higher else own < other for other in values.values()):
            sentences.append(words[0 if best else 1].format(_shown(key, own, variants[variant])))
            if key == "accuracy":
                sentences += _unproven(variant, part)
    return sentences


def _measured(models: Sequence[Model]) -> dict[str, float]:
    """Means over the seeds, of what is measured with each."""
    scores = models[0].scores
    keys = ["accuracy", "macro_f1", *(["false_positives", "false_negatives"] if scores.positive else [])]
    values = {key: _mean(models, key) for key in keys} | {"parameters": scores.parameters.trainable}
    epochs = [epoch for model in models if (epoch := model.scores.epochs_to["0.90"])]
    if len(epochs) == len(models):
        values["epochs_to_90"] = fmean(epochs)
    timings = [model.timing for model in models if model.timing is not None]
    if len(timings) == len(models):
        values["peak_memory_mb"] = fmean(each.peak_memory_mb for each in timings)
    return values


def _shown(key: str, value: float, models: Sequence[Model]) -> str:
    """A measure as text; that of one training with its interval."""
    scores, several = models[0].scores, len(models) > 1
    if key == "accuracy":
        return percent(value) + within(None if several else scores.accuracy_interval)
    if key == "macro_f1":
        return f"{value:.3f}" + within(None if several else scores.macro_f1_interval, "{:.3f}")
    return f"{value:,.0f}" if key == "peak_memory_mb" else f"{value:,.1f}".removesuffix(".0")


def _unproven(variant: str, part: Part) -> list[str]:
    """With which variants the tests show no difference in accuracy."""
    alike = [
        models[0].title
        for other, models in part.variants().items()
        if other != variant and _pair(part, variant, other).p >= thresholds.CHANCE
    ]
    return [f"(No difference in accuracy from {listed(alike)} is shown.)"] if alike else []


def _uneven_errors(models: Sequence[Model], positive: str) -> list[str]:
    support = {label: values.support for label, values in models[0].scores.per_class.items()}
    others = sum(support.values()) - support[positive]
    misses = _mean(models, "false_negatives") / max(1, support[positive])
    alarms = _mean(models, "false_positives") / max(1, others)
    label = plain(positive)
    if misses > thresholds.UNEVEN_ERRORS * alarms:
        return [f"Misses {label} ({percent(misses)}) more often than it names it wrongly ({percent(alarms)})."]
    if alarms > thresholds.UNEVEN_ERRORS * misses:
        return [f"Names {label} wrongly ({percent(alarms)}) more often than it misses it ({percent(misses)})."]
    return []


def _confusions(models: Sequence[Model]) -> list[str]:
    hard = [f"{plain(label)} ({f1:.2f})" for label, f1 in _f1(models).items() if f1 < thresholds.HARD_CLASS]
    sentences = [f"F1 below {thresholds.HARD_CLASS:.2f} on {listed(hard)}."] if hard else []
    for model in models:
        errors, first, second = _most_confused(model.scores)
        total = _errors(model.scores)
        if total >= thresholds.SEVERAL_ERRORS and errors / total >= thresholds.OFTEN_CONFUSED:
            prefix = f"Seed {model.result.seed}: " if len(models) > 1 else ""
            sentences.append(
                f"{prefix}{plain(first)} and {plain(second)} are confused with each other in {errors} of"
                f" {counted(total, 'error')} ({percent(errors / total)})."
            )
    return sentences


def _most_confused(scores: Scores) -> tuple[int, str, str]:
    """The two classes most often predicted as one another, behind how often; the first in order where several are."""
    matrix, classes = scores.confusion_matrix, scores.classes
    pairs = {(one, two): matrix[one][two] + matrix[two][one] for one, two in combinations(range(len(classes)), 2)}
    one, two = max(pairs, key=lambda pair: pairs[pair])
    return pairs[one, two], classes[one], classes[two]


def _errors(scores: Scores) -> int:
    """Validation pictures off the diagonal of the confusion matrix."""
    matrix = scores.confusion_matrix
    return sum(map(sum, matrix)) - sum(matrix[index][index] for index in range(len(matrix)))


def _difference(part: Part, best: str, other: str) -> str:
    variants = part.variants()
    ahead = _mean(variants[best], "accuracy") - _mean(variants[other], "accuracy")
    title, pair = variants[other][0].title, _pair(part, best, other)
    start = f"It lies {points(ahead)} above {title}" if ahead else f"{title} has the same accuracy"
    verdict = "more than chance explains" if pair.p < thresholds.CHANCE else "which chance could explain"
    pairs = counted(len(variants) * (len(variants) - 1) // 2, "pair") + " of variants"
    if isinstance(pair, SeedDifference):
        trainings = counted(pair.seeds, "fold" if part.split.folds else "seed")
        return (
            f"{start} in the mean over {trainings} (paired differences {points(pair.mean)}"
            f" ± {100 * pair.deviation:.1f}), {verdict} (paired t test, p = {pair.p:.2g}, corrected for the {pairs} of"
            " this task)."
        )
    better, worse = (pair.better, pair.worse) if pair.first == best else (pair.worse, pair.better)
    test = "exact sign-flip test by person" if pair.by_person else "McNemar's exact test"
    return (
        f"{start}: right on {counted(better, 'picture')} where the other is wrong, wrong on {worse} where it is"
        f" right, {verdict} ({test}, p = {pair.p:.2g}, corrected for the {pairs} of this task and seed)."
    )


def _pair(part: Part, one: str, other: str) -> Difference | SeedDifference:
    """The tests between two variants: over the seeds where there are several."""
    first_seed = next(iter(part.differences.by_seed.values()))
    pairs: Sequence[Difference | SeedDifference] = part.differences.over_seeds or first_seed
    return next(pair for pair in pairs if {pair.first, pair.second} == {one, other})


def _nothing_learned(models: Sequence[Model]) -> list[str]:
    """Where it may be guessing: no seed has the interval of its balanced accuracy above 1 / K classes."""
    scores = models[0].scores
    if any(model.scores.above_guessing for model in models):
        return []
    shown = percent(scores.balanced_accuracy) + within(scores.balanced_accuracy_interval)
    return [
        f"Nothing was shown to be learned: balanced accuracy {shown} is not shown to be above what guessing gives,"
        f" {percent(scores.guessing)}."
    ]


def _unlearned(part: Part) -> list[str]:
    """Which variants are no better than guessing, or than always naming the largest class."""
    variants = part.variants().values()
    guessing = [models[0].title for models in variants if _nothing_learned(models)]
    near = [models[0].title for models in variants if _near_majority(models) and not _nothing_learned(models)]
    sentences = [f"Nothing was shown to be learned by {listed(guessing)}."] if guessing else []
    if near:
        sentences.append(f"No better than always naming the largest class: {listed(near)}.")
    return sentences


def _near_majority(models: Sequence[Model]) -> bool:
    return _mean(models, "accuracy") <= models[0].majority_share + thresholds.NEAR_MAJORITY


def _largest_recall_gain(best: Sequence[Model], last: Sequence[Model]) -> str:
    recalls = {label: (_recall(best, label), _recall(last, label)) for label in best[0].scores.classes}
    label = max(recalls, key=lambda name: recalls[name][0] - recalls[name][1])
    more, less = recalls[label]
    if more <= less:
        return f"It has no higher recall than {last[0].title} on any class."
    gain = f"{percent(more)} against {percent(less)}"
    return f"Its largest gain in recall over {last[0].title} is on {plain(label)}: {gain}."


def _mean(models: Sequence[Model], key: str) -> float:
    """Of a score, over the seeds."""
    return fmean(getattr(model.scores, key) for model in models)


def _recall(models: Sequence[Model], label: str) -> float:
    return fmean(model.scores.per_class[label].recall for model in models)


def _f1(models: Sequence[Model]) -> dict[str, float]:
    """Mean F1 of each class."""
    return {label: fmean(model.scores.per_class[label].f1 for model in models) for label in models[0].scores.classes}
