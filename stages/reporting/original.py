"""The figures that the original study stated, and this study's beside them."""

from collections.abc import Sequence

from stages.reporting.study import Model, Part, Study, spread
from stages.reporting.text import counted, percent, plain, table

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
CAUTION = (
    "The data differ: the original study had photos of its own, this one has those named in the overview. The two"
    " columns show whether the pattern repeats, not whether one study did better than the other."
)


def beside_original(study: Study) -> str:
    """A table with a row per task and variant that the original study had; empty tasks give their reason."""
    parts = {part.task: part for part in study.parts}
    rows = []
    for (task, variant), stated in STATED.items():
        measure = "train / validation accuracy" if task == "face" else "validation accuracy"
        rows.append([f"{task}, `{variant}`", measure, stated, _ours(parts.get(task), variant)])
    for variant, stated in STATED_CLASSES.items():
        rows.append([f"emotion, `{variant}`", "per class", stated, _our_classes(parts.get("emotion"), variant)])
    return table(["model", "measure", "original study", "this study"], rows, text_columns=4)


def _ours(part: Part | None, variant: str) -> str:
    models = _models(part, variant)
    if isinstance(models, str):
        return models
    validation = _shares([model.scores["accuracy"] for model in models])
    rule = models[0].scores["epoch"]
    mark = " (optimistic)" if rule["rule"] == "best" else ""
    if part is not None and part.task == "face":
        return f"{_shares([model.scores['train']['accuracy'] for model in models])} / {validation}{mark}"
    return f"{validation} at epoch {rule['kept']}{mark}"


def _our_classes(part: Part | None, variant: str) -> str:
    models = _models(part, variant)
    if isinstance(models, str) or part is None:
        return str(models)
    first = models[0].scores
    classes = first["classes"]
    found = []
    if variant == "vgg16" and "happy" in classes:
        found.append(f"happy F1 {spread([model.scores['per_class']['happy']['f1'] for model in models])[0]:.2f}")
    if not {"angry", "sad"} <= set(classes):
        return "; ".join([*found, "sad and angry are not both classes here"])
    scratch = part.variants().get("resnet18_scratch")
    if variant == "resnet18_pretrained" and scratch:
        for label in ("angry", "sad"):
            ours = spread([model.scores["per_class"][label]["recall"] for model in models])[0]
            theirs = spread([model.scores["per_class"][label]["recall"] for model in scratch])[0]
            found.append(f"recall on {label} {percent(ours)} against {percent(theirs)}")
    else:
        angry, sad = classes.index("angry"), classes.index("sad")
        matrices = [model.scores["confusion_matrix"] for model in models]
        confused = sum(matrix[angry][sad] + matrix[sad][angry] for matrix in matrices)
        asked = sum(sum(matrix[angry]) + sum(matrix[sad]) for matrix in matrices)
        found.append(f"sad and angry taken for one another {counted(confused, 'time')} in {asked:,}")
    return "; ".join(found)


def _models(part: Part | None, variant: str) -> Sequence[Model] | str:
    if part is None:
        return "not a task of this study"
    if part.reason is not None:
        return plain(part.reason)
    return part.variants().get(variant) or "not a variant of this study"


def _shares(values: Sequence[float]) -> str:
    mean, deviation = spread(values)
    return percent(mean) if len(values) == 1 else f"{100 * mean:.1f} ± {100 * deviation:.1f} %"
