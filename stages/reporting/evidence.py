"""Tables of the report that say how far a model's numbers hold: calibration, hard pictures, differences."""

from collections.abc import Mapping, Sequence
from typing import Any

from stages.reporting import rules
from stages.reporting.study import Model, Part
from stages.reporting.text import counted, percent, plain, points, table, within
from stages.scoring.kinds import TITLES

FORMS = {"torch": "torch", "onnx": "ONNX Runtime", "int8": "ONNX Runtime, 8 bits"}


def calibration(model: Model) -> list[str]:
    """Calibration as trained and with the temperature; for a binary task true accepts at fixed false accepts."""
    found = model.scores["calibration"]
    columns = {"as trained": found, f"with temperature {_temperature(found)}": found["with_temperature"]}
    rows = [
        [name, *(_measure(scores, key, form) for scores in columns.values())]
        for name, key, form in (
            ("expected calibration error", "expected_calibration_error", percent),
            ("Brier score", "brier_score", "{:.4f}".format),
            ("log loss", "loss", "{:.4f}".format),
        )
    ]
    blocks = [table(["measure", *columns], rows)]
    if model.scores["true_accepts"]:
        blocks.append(_true_accepts(model.scores["true_accepts"]))
    return blocks


def _temperature(found: Mapping[str, Any]) -> str:
    return "not fitted" if found["temperature"] is None else f"{found['temperature']:.2f}"


def _measure(scores: Mapping[str, Any] | None, key: str, form: Any) -> str:
    return "not defined" if scores is None else str(form(scores[key]))


def _true_accepts(points_found: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [
            f"{100 * found['false_accept_rate']:g} %",
            percent(found["true_accept_rate"]) + within(found["true_accept_interval"]),
            f"{found['false_accepts']}, a rate of {percent(found['false_accept_interval'][0])} to"
            f" {percent(found['false_accept_interval'][1])}",
            "none is sure enough" if found["threshold"] is None else f"{found['threshold']:.3f}",
        ]
        for found in points_found
    ]
    head = ["false accepts asked for", "true accepts", "false accepts seen", "threshold"]
    told = table(head, rows, text_columns=4)
    return f"{told}\n\nThe thresholds were set on the pictures counted here, which flatters them."


def challenges(model: Model) -> str:
    """Accuracy by kind and strength with its interval, and the errors of each sort of a binary task."""
    binary = model.scores["positive"] is not None
    rows = []
    for row in model.challenges.to_dict("records"):
        cells = [TITLES[row["kind"]], f"{row['strength']}"]
        cells.append(percent(row["accuracy"]) + within([row["low"], row["high"]]))
        if binary:
            cells += [f"{row[key]:.0f}" for key in ("false_positives", "false_negatives")]
        rows.append(cells)
    errors = ["false positives", "false negatives"] if binary else []
    return table(["made harder by", "strength", "accuracy", *errors], rows)


def groups(model: Model) -> list[str]:
    """Accuracy by the true light and occlusion, where the source knows them."""
    rows = [
        [f"{plain(column)}: {plain(value)}", f"{found['pictures']:,}", _accuracy(found)]
        for column, values in model.scores["by_group"].items()
        for value, found in values.items()
    ]
    return [table(["validation pictures", "number", "accuracy"], rows)] if rows else []


def _accuracy(found: Mapping[str, Any]) -> str:
    return percent(found["accuracy"]) + within(found["accuracy_interval"])


def exported(part: Part) -> str:
    """Each model's forms: file size, accuracy, and the time for one face, the median."""
    several = len(part.models) > len(part.variants())
    rows = []
    for model in part.models:
        title = plain(model.result.title) + (f", seed {model.result.seed}" if several else "")
        timing = (model.export_timing or {}).get("latency_ms", {})
        for form, name in FORMS.items():
            shown = f"{timing[form]:.1f}" if form in timing else "not measured"
            size = f"{model.exported['bytes'][form] / 1e6:.1f}"
            rows.append([title, name, size, percent(model.exported["accuracy"][form]), shown])
    largest = max(model.exported["largest_probability_difference"] for model in part.models)
    head = ["variant", "form", "file, MB", "validation accuracy", "one face, ms"]
    return (
        f"{table(head, rows, text_columns=2)}\n\nNo probability of ONNX Runtime's differs from torch's by more than"
        f" {largest:.1g}. Times are medians on this machine's processor, from one face to its logits, torch's in full"
        " precision."
    )


def differences(part: Part) -> list[str]:
    """Every pair of variants and what the tests say."""
    titles = {variant: plain(models[0].result.title) for variant, models in part.variants().items()}
    found, several = part.differences, bool(part.differences["over_seeds"])
    rows = []
    for seed, pairs in found["by_seed"].items():
        for pair in pairs:
            cells = [titles[pair["first"]], titles[pair["second"]], *([seed] if several else [])]
            cells += [points(pair["accuracy"]), f"{pair['better']}", f"{pair['worse']}"]
            rows.append([*cells, f"{pair['p']:.2g}", _verdict(pair["p"])])
    if not rows:
        return []
    head = ["ahead", "behind", *(["seed"] if several else []), "ahead by", "right where the other is wrong"]
    blocks = [table([*head, "wrong where it is right", "p", "a difference is"], rows, text_columns=2)]
    if several:
        rows = [
            [
                *(titles[pair[name]] for name in ("first", "second")),
                *(points(pair[name]) for name in ("mean", "deviation")),
                f"{pair['seeds']}",
                f"{pair['p']:.2g}",
                _verdict(pair["p"]),
            ]
            for pair in found["over_seeds"]
        ]
        head = ["ahead", "behind", "paired difference, mean", "its deviation", "seeds", "p", "a difference is"]
        blocks.append(table(head, rows, text_columns=2))
    count = len(next(iter(found["by_seed"].values())))
    tests = "McNemar's exact test on the same pictures"
    if several:
        folds = "folds (corrected, since they train on much the same pictures)"
        tests += f", paired t test over the {folds if part.split['folds'] else 'seeds'}"
    blocks.append(f"{tests}; p is corrected for {counted(count, 'comparison')} (Holm).")
    return blocks


def _verdict(p: float) -> str:
    return "shown" if p < rules.CHANCE else "not shown"
