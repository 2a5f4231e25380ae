"""How often the 95 % intervals of facestudy/evaluation/intervals.py hold the true value, by simulation.

    python -m benchmarks.coverage [--draws 2000]

draws validation sets of 216 pictures, a fifth of them targets, from classifiers whose true score is known, and
writes docs/coverage.md. Rows by person have 72 people, of whom one to five pictures are there: each has a share of
correct answers of his or her own, from a beta distribution whose correlation within a person is `CORRELATION`.
"""

import argparse
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, ndtri

from facestudy.contracts.scores import Interval
from facestudy.evaluation import intervals
from facestudy.project.files import write_text

PAGE = Path("docs/coverage.md")
PICTURES, SHARE = 216, 0.2
TARGETS = round(PICTURES * SHARE)
TRUTH = (np.arange(PICTURES) < TARGETS).astype(np.int64)
GROUPS = np.arange(PICTURES)  # a picture each
CORRELATION = 0.3  # between the answers on two pictures of a person; the design effect is then 1.8
PEOPLE = np.repeat(np.arange(72), [1, 2, 3, 4, 5, 3] * 12)


def f1_scores(error: float) -> tuple[float, float]:
    """F1 of the target and mean F1 of both classes, where targets are missed twice as often as others err."""
    share = TARGETS / PICTURES
    hits, missed, false_positives = share * (1 - 2 * error), share * 2 * error, (1 - share) * error
    correct = (1 - share) * (1 - error)
    target = 2 * hits / (2 * hits + missed + false_positives)
    return target, (target + 2 * correct / (2 * correct + missed + false_positives)) / 2


def of_accuracy(value: float, random: np.random.Generator, seed: int) -> Interval | None:
    """Of one drawn set: the interval of accuracy."""
    return intervals.wilson(int(random.binomial(PICTURES, value)), PICTURES)


def of_accuracy_by_person(value: float, random: np.random.Generator, seed: int) -> Interval | None:
    """Of one drawn set of few people: the interval of accuracy."""
    return intervals.share(correct_by_person(value, random), PEOPLE)


def of_accuracy_by_picture(value: float, random: np.random.Generator, seed: int) -> Interval | None:
    """The same sets, each picture taken for another person's."""
    return intervals.share(correct_by_person(value, random), GROUPS)


def of_balanced_accuracy(value: float, random: np.random.Generator, seed: int) -> Interval | None:
    """Of one drawn set: the interval of the mean recall of both classes, the target's error twice the others'."""
    predicted = predictions((1 - value) / 1.5, random)
    return intervals.mean_share(predicted == TRUTH, TRUTH, GROUPS)


def of_balanced_accuracy_by_person(value: float, random: np.random.Generator, seed: int) -> Interval | None:
    """Of one drawn set of few people, who are in all of five classes: the interval of the mean recall."""
    return intervals.mean_share(correct_by_person(value, random), np.arange(PICTURES) % 5, PEOPLE)


def correct_by_person(share: float, random: np.random.Generator) -> np.ndarray:
    """Which pictures are classified correctly, where people differ."""
    shape = 1 / CORRELATION - 1  # of a beta distribution: the sum of its parameters
    own = random.beta(share * shape, (1 - share) * shape, PEOPLE.max() + 1)
    return np.asarray(random.random(PICTURES) < own[PEOPLE])


def predictions(error: float, random: np.random.Generator) -> np.ndarray:
    """The classes predicted in one drawn set."""
    incorrect = random.random(PICTURES) < np.where(TRUTH == 1, 2 * error, error)
    return np.where(incorrect, 1 - TRUTH, TRUTH)


def of_class_f1(value: float, random: np.random.Generator, seed: int) -> Interval | None:
    """Of one drawn set: the interval of the target's F1."""
    error = brentq(lambda e: f1_scores(e)[0] - value, 1e-6, 0.4)
    predicted = predictions(error, random)
    return intervals.f1_interval(TRUTH == 1, predicted == 1, GROUPS)


def of_macro_f1(value: float, random: np.random.Generator, seed: int) -> Interval | None:
    """Of one drawn set: the interval of the mean F1."""
    error = brentq(lambda e: f1_scores(e)[1] - value, 1e-6, 0.4)
    return intervals.resampled(intervals.macro_f1(TRUTH, predictions(error, random), 2), GROUPS, seed)


def of_roc_auc(value: float, random: np.random.Generator, seed: int) -> Interval | None:
    """Of one drawn set: the interval of the area under the ROC curve."""
    probability = expit(random.normal(size=PICTURES) + math.sqrt(2) * ndtri(value) * TRUTH)
    return intervals.resampled(intervals.roc_auc((TRUTH == 1)[:, None], probability[:, None]), GROUPS, seed)


SCORES: dict[str, tuple[Callable[[float, np.random.Generator, int], Interval | None], list[float]]] = {
    "accuracy (Wilson)": (of_accuracy, [0.8, 0.85, 0.9, 0.95, 0.97, 0.99]),
    "accuracy by person (Wilson)": (of_accuracy_by_person, [0.5, 0.8, 0.9, 0.95, 0.97, 0.99]),
    "the same, people ignored": (of_accuracy_by_picture, [0.5, 0.8, 0.9, 0.95, 0.97, 0.99]),
    "balanced accuracy (Wilson)": (of_balanced_accuracy, [0.5, 0.8, 0.9, 0.95, 0.97, 0.99]),
    "balanced accuracy by person (Wilson)": (of_balanced_accuracy_by_person, [0.5, 0.8, 0.9, 0.95, 0.97, 0.99]),
    "F1 of the target (Wilson)": (of_class_f1, [0.8, 0.85, 0.9, 0.95, 0.98]),
    "macro F1 (bootstrap)": (of_macro_f1, [0.8, 0.85, 0.9, 0.95, 0.98]),
    "ROC AUC (bootstrap)": (of_roc_auc, [0.8, 0.85, 0.9, 0.95, 0.98, 0.995]),
}


def covered(
    draw: Callable[[float, np.random.Generator, int], Interval | None], value: float, draws: int
) -> tuple[float, int]:
    """Share of the intervals that hold the value, and how many draws had too few errors for one."""
    random = np.random.default_rng([draws, round(1000 * value)])
    drawn = [draw(value, random, seed) for seed in range(draws)]
    given = [interval for interval in drawn if interval is not None]
    return float(np.mean([low <= value <= high for low, high in given])), draws - len(given)


def main(draws: int) -> None:
    """Simulate and write the page."""
    rows = []
    for name, (draw, values) in SCORES.items():
        for value in values:
            share, none = covered(draw, value, draws)
            rows.append(f"| {name} | {value:g} | {100 * share:.1f} % | {none} |")
            print(rows[-1], flush=True)
    head = ["| score | its true value | intervals that hold it | draws without one |", "| --- | --- | --- | --- |"]
    intro = (
        "# How often the intervals hold\n\n"
        f"Made by `python -m benchmarks.coverage`: {draws:,} simulated validation sets of {PICTURES} pictures, "
        f"{TARGETS} of them of the target, for each true value of a score. A 95 % interval should hold it in about 95 "
        f"of 100. In the rows by person there are {PEOPLE.max() + 1} people, on whose pictures answers correlate by "
        f"{CORRELATION:g}. docs/method.md says how each interval is made."
    )
    write_text(PAGE, intro + "\n\n" + "\n".join([*head, *rows]) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=2000)
    main(parser.parse_args().draws)
