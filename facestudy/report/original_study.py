"""The figures that the original study stated, and this study's beside them."""

from collections.abc import Callable, Sequence

from facestudy.pages.markdown import counted, percent, plain
from facestudy.report.study import Model, Part, Study, spread

STATED = {
    ("face", "vgg16"): "99.5 / 97.7 %",
    ("face", "resnet18_scratch"): "99.2 / 98.4 %",
    ("face", "resnet18_pretrained"): "99.7 / 98.9 %",
    ("emotion", "vgg16"): "92 % at epoch 10",
    ("emotion", "resnet18_scratch"): "90 % at epoch 15",
    ("emotion", "resnet18_pretrained"): "94 %",
}
STATED_CLASSES = {
    "vgg16": "happy F1 0.95; sad and angry confused",
    "resnet18_scratch": "sad against angry",
    "resnet18_pretrained": "higher recall on angry and sad than scratch",
}


def beside_original(study: Study) -> list[list[str]]:
    """Model, measure, its value in the original study and in this one; empty tasks give their reason."""
    parts = {part.task: part for part in study.parts}
    rows = []
    for (task, variant), stated in STATED.items():
        measure = "train / validation accuracy" if task == "face" else "validation accuracy"
        rows.append([f"{task}, `{variant}`", measure, stated, _ours(parts.get(task), variant, _accuracy)])
    for variant, stated in STATED_CLASSES.items():
        rows.append([f"emotion, `{variant}`", "per class", stated, _ours(parts.get("emotion"), variant, _classes)])
    return rows


def stated_accuracy(task: str, variant: str) -> str:
    """The validation accuracy that the original study states for a model; empty where it has no such model."""
    return STATED.get((task, variant), "").rpartition("/ ")[2].partition(" at")[0]


def _ours(part: Part | None, variant: str, value: Callable[[Part, str, Sequence[Model]], str]) -> str:
    if part is None:
        return "not a task of this study"
    if part.reason is not None:
        return plain(part.reason)
    models = part.variants().get(variant)
    return value(part, variant, models) if models else "not a variant of this study"


def _accuracy(part: Part, _: str, models: Sequence[Model]) -> str:
    validation = _mean([model.scores.accuracy for model in models])
    epoch = models[0].scores.epoch
    mark = " (optimistic)" if epoch.rule == "best" else ""
    if part.task == "face":
        return f"{_mean([model.scores.train.accuracy for model in models])} / {validation}{mark}"
    return f"{validation} at epoch {epoch.kept}{mark}"


def _classes(part: Part, variant: str, models: Sequence[Model]) -> str:
    classes = models[0].scores.classes
    cells = []
    if variant == "vgg16" and "happy" in classes:
        cells.append(f"happy F1 {spread([model.scores.per_class['happy'].f1 for model in models])[0]:.2f}")
    if not {"angry", "sad"} <= set(classes):
        return "; ".join([*cells, "sad and angry are not both classes here"])
    scratch = part.variants().get("resnet18_scratch")
    if variant == "resnet18_pretrained" and scratch:
        for label in ("angry", "sad"):
            ours, theirs = (
                spread([model.scores.per_class[label].recall for model in each])[0] for each in (models, scratch)
            )
            cells.append(f"recall on {label} {percent(ours)} against {percent(theirs)}")
    else:
        angry, sad = classes.index("angry"), classes.index("sad")
        matrices = [model.scores.confusion_matrix for model in models]
        confused = sum(matrix[angry][sad] + matrix[sad][angry] for matrix in matrices)
        pictures = sum(sum(matrix[angry]) + sum(matrix[sad]) for matrix in matrices)
        cells.append(f"sad and angry confused with each other {counted(confused, 'time')} in {pictures:,}")
    return "; ".join(cells)


def _mean(values: Sequence[float]) -> str:
    mean, deviation = spread(values)
    return percent(mean) if len(values) == 1 else f"{100 * mean:.1f} ± {100 * deviation:.1f} %"
