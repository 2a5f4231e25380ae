"""Rows of the tables whose cells are computed or whose columns vary; the templates have the others."""

from collections.abc import Mapping

from facestudy.contracts.scores import Scores
from facestudy.pages.markdown import percent, plain, within
from facestudy.report.original_study import stated_accuracy
from facestudy.report.study import Part, spread

FACES = {"one": "one face found", "none": "no face found", "several": "several faces found"}


def data(part: Part) -> list[list[str]]:
    """A head, and for each class its pictures in each split, by the faces found on them, and those left out."""
    counts, preprocess = part.split.counts, part.preprocess
    rows = [[plain(part.title), *map(plain, counts), *FACES.values(), "left out"]]
    for label in part.split.classes:
        numbers = [pictures.get(label, 0) for pictures in counts.values()]
        numbers += [preprocess.found.get(label, {}).get(kind, 0) for kind in FACES]
        numbers.append(preprocess.left_out.get(label, 0))
        rows.append([plain(label), *(f"{number:,}" for number in numbers)])
    return rows


def answer(part: Part) -> list[list[str]]:
    """A row per variant: accuracy with its interval, or its deviation over several seeds; macro F1; the original's.

    The last row is what every variant must beat: always naming the largest class.
    """
    rows = []
    for variant, models in part.variants().items():
        scores = [model.scores for model in models]
        mean, deviation = spread([each.accuracy for each in scores])
        accuracy = percent(mean)
        accuracy += within(scores[0].accuracy_interval) if len(scores) == 1 else f" ± {100 * deviation:.1f}"
        f1 = f"{spread([each.macro_f1 for each in scores])[0]:.3f}"
        rows.append([models[0].title, accuracy, f1, stated_accuracy(part.task, variant)])
    rows.append(["*always the largest class*", percent(part.models[0].majority_share), "", ""])
    return rows


def without_face(part: Part) -> int:
    """Pictures of a task on which no face was found, those left out too."""
    return sum(found.get("none", 0) for found in part.preprocess.found.values())


def by_class(value: int | Mapping[str, int]) -> str:
    """A count, or one for each class."""
    if isinstance(value, int):
        return f"{value:,}"
    return ", ".join(f"{plain(label)} {number:,}" for label, number in value.items())


def settings(scores: Scores) -> list[list[str]]:
    """Names such as augmentation.flip, and values as YAML writes them."""
    rows = []
    for key, value in scores.settings.items():
        for name, setting in value.items() if isinstance(value, Mapping) else [("", value)]:
            shown = ", ".join(map(str, setting)) if isinstance(setting, list) else str(setting)
            shown = shown.lower() if isinstance(setting, bool) else shown
            rows.append([plain(f"{key}.{name}" if name else key), plain(shown)])
    return rows


def side_by_side(part: Part) -> list[list[str]]:
    """A row per variant: means over its seeds, with the standard deviation where there are several."""
    rows = []
    for models in part.variants().values():
        scores = [model.scores for model in models]
        cells = [models[0].title]
        for values, form in (
            ([100 * each.train.accuracy for each in scores], ".1f"),
            ([100 * each.accuracy for each in scores], ".1f"),
            ([each.loss for each in scores], ".4f"),
            ([each.macro_f1 for each in scores], ".4f"),
            ([100 * each.generalization_gap for each in scores], ".1f"),
        ):
            mean, deviation = spread(values)
            cells.append(f"{mean:{form}} ± {deviation:{form}}" if part.several_seeds else f"{mean:{form}}")
        rows.append([*cells, str(len(models))])
    return rows
