"""The report as Markdown, in the order of the original study; the page is made from this text alone."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from stages.reporting import evidence
from stages.reporting.courses import convergence
from stages.reporting.original import CAUTION, beside_original
from stages.reporting.sentences import comparisons, strengths, weaknesses
from stages.reporting.study import Model, Part, Study, majority_share, spread
from stages.reporting.text import counted, fenced, listed, percent, plain, slugs, table, within

OPTIMISTIC = (
    "Optimistic: the epoch was chosen by accuracy on the very pictures that are scored here (`training.epoch: best`)."
)
PICTURES = ("curves", "confusion", "calibration", "gradients", "parameters")
EVIDENCE = """Each kind of evidence answers a question of its own:

- **Epoch log and run history**: does the training converge, how fast, and where does it settle?
- **Run summary**: the final values, and the settings that led to them.
- **Curves**: train and validation loss and accuracy by epoch; where they part, the model learns its pictures by heart.
- **Confusion matrix**: where the model errs, in pictures. Its z-scores standardise each cell across the whole matrix
  (minus the mean of all cells, divided by their standard deviation): which errors are unusually common or rare.
- **Gradient distributions** at the last step of each epoch: do gradients vanish or explode in some layer?
- **Parameter distributions** of chosen layers: do weights and biases move, and do they stay in range?
- **Classification report**: precision, recall and F1 of each class.
- **Calibration**: does a probability of 90 % mean right nine times in ten? A temperature mends what one number can.
- **Hard pictures**: how much is lost where the face is covered, dark, blurred, compressed, coarse or turned?
- **Differences**: what tells two variants apart on the same pictures, and could chance have done it?

A value in brackets is a 95 % interval; docs/method.md explains each.
Every number comes from the validation pictures unless it says otherwise; every sentence of the summaries is computed
from the numbers by rules. Pictures are named by their id; no photo is shown."""


def document(study: Study) -> str:
    """The whole report; every text of a user in it is escaped."""
    blocks = [f"# Face classifiers: {listed([plain(part.title) for part in study.parts])}", "", "## Overview", EVIDENCE]
    blocks += _data(study)
    for number, part in enumerate(study.parts, start=1):
        blocks.append(f"## Part {number}: {plain(part.title)}")
        blocks += _part(part)
    blocks += ["## Beside the original study", beside_original(study), CAUTION]
    blocks[1] = _contents(blocks)
    return "\n\n".join(blocks) + "\n"


def pictures(study: Study) -> list[str]:
    """The pictures that the report shows, as its links name them, those of the first seeds first."""
    ranked = []
    for part in study.parts:
        if part.reason is None:
            ranked += [(0, f"comparison/{part.task}.png"), (0, f"comparison/{part.task}_challenges.png")]
        for models in part.variants().values():
            for rank, model in enumerate(models):
                start = f"figures/{part.task}/{model.result.name}"
                ranked += [(rank, f"{start}/{kind}.png") for kind in PICTURES]
    return [picture for _, picture in sorted(ranked, key=lambda pair: pair[0])]


def _contents(blocks: Sequence[str]) -> str:
    found = [match for match in (re.fullmatch(r"(#+) (.+)", block) for block in blocks) if match]
    anchors = slugs(re.sub(r"\\(.)", r"\1", match[2]) for match in found)
    return "\n".join(
        f"{'  ' * (len(match[1]) - 2)}- [{match[2]}](#{anchor})"
        for match, anchor in zip(found, anchors, strict=True)
        if len(match[1]) in (2, 3)
    )


def _data(study: Study) -> list[str]:
    download = study.download
    rejected = sum(download.get("rejected", {}).values())
    blocks = [
        "### The data",
        f"Source: {plain(study.source)}. {counted(int(download.get('pictures', 0)), 'picture')} taken in,"
        f" {rejected:,} left out, {counted(int(download.get('copies', 0)), 'exact copy').replace('copys', 'copies')}"
        " counted once.",
    ]
    if rejected:
        rows = [[plain(reason), f"{number:,}"] for reason, number in sorted(download["rejected"].items())]
        blocks.append(table(["left out because", "pictures"], rows))
    for part in study.parts:
        if part.reason is not None:
            blocks.append(f"**{plain(part.title)}**: {plain(part.reason)}.")
            continue
        splits = list(part.split["counts"])
        kinds = list(dict.fromkeys(kind for found in part.preprocess["found"].values() for kind in found))
        rows = []
        for label in part.split["classes"]:
            numbers = [part.split["counts"][name].get(label, 0) for name in splits]
            numbers += [part.preprocess["found"].get(label, {}).get(kind, 0) for kind in kinds]
            numbers.append(part.preprocess["left_out"].get(label, 0))
            rows.append([plain(label), *(f"{number:,}" for number in numbers)])
        faces = {"one": "one face found", "none": "no face found", "several": "several faces found"}
        head = [plain(part.title), *map(plain, splits), *(faces.get(kind, plain(kind)) for kind in kinds), "left out"]
        blocks.append(table(head, rows))
        blocks += [f"Split by class; {_kept_together(part)}.", *_folds(part), _leaks(part)]
    starts = {
        f"{plain(model.result.title)}: {plain(model.scores['weights'])}"
        for part in study.parts
        for model in part.models
    }
    blocks += ["### Where the weights came from", f"`weights.source` is {plain(study.weights)}."]
    blocks.append("\n".join(f"- {start}" for start in sorted(starts)))
    return blocks


def _kept_together(part: Part) -> str:
    group = part.split["group"]
    if part.split["leaks"] == "group":
        return "people and copies are kept on one side"
    return "nothing else is kept together" if group == "none" else f"each {plain(group)} is kept on one side"


def _folds(part: Part) -> list[str]:
    count = part.split["folds"]
    rule = f"Cross-validation over {count} folds: the training with seed s validates on fold s modulo {count} alone."
    return [rule] if count else []


def _leaks(part: Part) -> str:
    found = part.leaks
    people = "1 person" if found["people"] == 1 else f"{found['people']:,} people"
    outside = "" if part.split["folds"] else " outside train"
    people = (
        f"{people} (on {counted(found['pictures_of_them'], 'picture')}{outside}; the one the task asks for is not"
        " counted)"
        if found["people_known"]
        else "people not known to the source"
    )
    return (
        f"On both sides of the split: {counted(found['exact_copies'], 'pair')} of exact copies,"
        f" {counted(found['near_copies'], 'pair')} of near copies, {people}."
    )


def _part(part: Part) -> list[str]:
    if part.reason is not None:
        return [f"This part is empty: {plain(part.reason)}."]
    blocks = []
    for models in part.variants().values():
        for model in models:
            named = f", seed {model.result.seed}" if len(models) > 1 else ""
            blocks.append(f"### {plain(model.result.title)}{named}")
            blocks += _model(model, f"figures/{part.task}/{model.result.name}")
    return blocks + _summary(part)


def _model(model: Model, start: str) -> list[str]:
    title = f"{plain(model.result.title)}, seed {model.result.seed}"
    blocks = ["#### Epoch log", fenced(model.log), "#### Run summary", _run_summary(model)]
    if model.scores["epoch"]["rule"] == "best":
        blocks.append(OPTIMISTIC)
    blocks += ["#### Settings", _settings(model.scores["settings"])]
    blocks += ["#### Run history", _history(model), f"![Curves of {title}]({start}/curves.png)"]
    blocks += ["#### Confusion matrices", f"![Confusion matrices of {title}]({start}/confusion.png)"]
    blocks += ["#### Gradient distributions", f"![Gradients of {title}]({start}/gradients.png)"]
    blocks += ["#### Parameter distributions", f"![Parameters of {title}]({start}/parameters.png)"]
    blocks += ["#### Classification report", _classification(model)]
    blocks += ["#### Calibration", f"![Calibration of {title}]({start}/calibration.png)", *evidence.calibration(model)]
    blocks += ["#### Hard pictures", evidence.challenges(model), *evidence.groups(model)]
    page = f"`plots/mistakes/{start.removeprefix('figures/')}.html` shows the mistakes, with where the network looked."
    blocks += ["#### Most confident errors", _confident_errors(model), page]
    return [*blocks, "#### Time and memory", _timing(model.timing)]


def _run_summary(model: Model) -> str:
    scores = model.scores
    mark = " (optimistic)" if scores["epoch"]["rule"] == "best" else ""
    reached = {level: epoch if epoch else "not reached" for level, epoch in scores["epochs_to"].items()}
    rows = [
        ["validation accuracy", percent(scores["accuracy"]) + mark],
        ["its 95 % interval", " to ".join(percent(end) for end in scores["accuracy_interval"])],
        ["validation loss", f"{scores['loss']:.4f}"],
        ["train accuracy, measured after training", percent(scores["train"]["accuracy"])],
        ["train loss", f"{scores['train']['loss']:.4f}"],
        ["generalization gap (train minus validation accuracy)", f"{100 * scores['generalization_gap']:.1f} points"],
        ["accuracy of always naming the largest class", percent(majority_share(model))],
        ["balanced accuracy", percent(scores["balanced_accuracy"]) + _interval(scores, "balanced_accuracy")],
        ["macro F1", f"{scores['macro_f1']:.4f}" + _interval(scores, "macro_f1", "{:.4f}")],
        ["ROC AUC", _number(scores["roc_auc"]) + _interval(scores, "roc_auc", "{:.4f}")],
        ["average precision", _number(scores["average_precision"])],
        ["false positives", _per_class(scores["false_positives"])],
        ["false negatives", _per_class(scores["false_negatives"])],
        ["epoch kept", f"{scores['epoch']['kept']} ({plain(scores['epoch']['rule'])})"],
        ["epochs to 90 %, 95 %, the final accuracy", ", ".join(str(reached[key]) for key in ("0.90", "0.95", "final"))],
        ["trainable parameters", f"{scores['parameters']['trainable']:,} of {scores['parameters']['total']:,}"],
        ["validation pictures", f"{scores['pictures']:,}"],
        ["started from", plain(scores["weights"])],
    ]
    if "test" in scores:
        test = scores["test"]
        rows.insert(3, ["test accuracy", percent(test["accuracy"])])
        rows.insert(4, ["test macro F1", f"{test['macro_f1']:.4f}"])
    return table(["measure", "value"], rows)


def _interval(scores: Mapping[str, Any], key: str, form: str = "") -> str:
    if scores[key] is None:
        return ""
    return within(scores[f"{key}_interval"], form) or " (no interval: too few errors, or none right)"


def _number(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.4f}"


def _per_class(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{plain(label)} {number:,}" for label, number in value.items())
    return f"{value:,}"


def _settings(settings: Mapping[str, Any]) -> str:
    rows = []
    for key, value in settings.items():
        inner = value if isinstance(value, Mapping) else {"": value}
        for name, setting in inner.items():
            shown = ", ".join(map(str, setting)) if isinstance(setting, list) else json.dumps(setting).strip('"')
            rows.append([plain(f"{key}.{name}" if name else key), plain(shown)])
    return table(["setting", "value"], rows, text_columns=2)


def _history(model: Model) -> str:
    history = model.result.history
    extras = [column for column in ("lr", "gradient_norm") if column in history]
    head = ["epoch", "train loss", "train accuracy", "validation loss", "validation accuracy"]
    rows = []
    for _, row in history.iterrows():
        cells = [f"{row['epoch']:.0f}", f"{row['train_loss']:.4f}", percent(row["train_accuracy"])]
        cells += [f"{row['val_loss']:.4f}", percent(row["val_accuracy"])]
        rows.append(cells + [f"{row[column]:.3g}" for column in extras])
    return table([*head, *({"lr": "learning rate"}.get(name, "gradient norm") for name in extras)], rows)


def _classification(model: Model) -> str:
    rows = []
    for label, values in model.scores["per_class"].items():
        f1 = f"{values['f1']:.3f}" + within(values["f1_interval"], "{:.3f}")
        rows.append(
            [plain(label), f"{values['precision']:.3f}", f"{values['recall']:.3f}", f1, f"{values['support']:,}"]
        )
    return table(["class", "precision", "recall", "F1", "pictures"], rows)


def _confident_errors(model: Model, most: int = 5) -> str:
    wrong = model.predictions[model.predictions["truth"] != model.predictions["prediction"]]
    if wrong.empty:
        return "No error on the validation pictures."
    sure = [float(row[f"p_{row['prediction']}"]) for _, row in wrong.iterrows()]
    shown = wrong.assign(sure=sure).sort_values(["sure", "file"], ascending=[False, True]).head(most)
    rows = [
        [f"`{name}`" if re.fullmatch(r"[\w.-]+", name) else plain(name), plain(truth), plain(prediction), percent(sure)]
        for name, truth, prediction, sure in zip(
            shown["file"], shown["truth"], shown["prediction"], shown["sure"], strict=True
        )
    ]
    return f"{counted(len(wrong), 'error')}; the surest:\n\n" + table(
        ["picture", "truth", "prediction", "probability"], rows, text_columns=3
    )


def _timing(timing: Mapping[str, Any] | None) -> str:
    measures = {
        "seconds": "seconds of training",
        "pictures_per_second": "pictures per second",
        "peak_memory_mb": "peak memory, MB",
        "device": "device",
        "threads": "threads",
    }
    rows = []
    for key, name in measures.items():
        value = (timing or {}).get(key)
        shown = "not measured" if value is None else f"{value:,.1f}" if isinstance(value, float) else plain(value)
        rows.append([name, shown])
    return table(["measure", "value"], rows)


def _summary(part: Part) -> list[str]:
    blocks = [
        f"### Summary of {plain(part.title)}",
        f"![The variants side by side](comparison/{part.task}.png)",
    ]
    blocks.append(_side_by_side(part))
    if part.models[0].scores["epoch"]["rule"] == "best":
        blocks.append(OPTIMISTIC)
    blocks += ["#### Side by side", " ".join(comparisons(part)), *evidence.differences(part)]
    blocks += ["#### Exported", evidence.exported(part)]
    blocks.append(f"![The variants on hard pictures](comparison/{part.task}_challenges.png)")
    for variant, models in part.variants().items():
        blocks.append(f"#### {plain(models[0].result.title)}: convergence, strengths, weaknesses")
        for name, sentences in (
            ("Convergence", convergence(models)),
            ("Strengths", strengths(variant, part)),
            ("Weaknesses", weaknesses(variant, part)),
        ):
            blocks.append(f"**{name}.** " + " ".join(sentences))
    return blocks


def _side_by_side(part: Part) -> str:
    several = len(part.models) > len(part.variants())
    rows = []
    for models in part.variants().values():
        row = [plain(models[0].result.title)]
        for values, scale, form in (
            ([model.scores["train"]["accuracy"] for model in models], 100, ".1f"),
            ([model.scores["accuracy"] for model in models], 100, ".1f"),
            ([model.scores["loss"] for model in models], 1, ".4f"),
            ([model.scores["macro_f1"] for model in models], 1, ".4f"),
            ([model.scores["generalization_gap"] for model in models], 100, ".1f"),
        ):
            mean, deviation = spread([scale * value for value in values])
            row.append(f"{mean:{form}} ± {deviation:{form}}" if several else f"{mean:{form}}")
        rows.append([*row, str(len(models))])
    head = [
        "variant",
        "train accuracy, %",
        "validation accuracy, %",
        "validation loss",
        "macro F1",
        "gap, points",
        "seeds",
    ]
    over = "folds, each validated by a training on the others" if part.split["folds"] else "seeds"
    told = f"Mean ± standard deviation over the {over}.\n\n" if several else ""
    return told + table(head, rows)
