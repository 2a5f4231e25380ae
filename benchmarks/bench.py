"""`make bench`: how fast the project is, against the bare network and against others' ways of training.

    python -m benchmarks.bench [--page] [TABLE ...]

measures the named tables, or all but `ways` and `scoring` (an hour each), saves each in docs/benchmarks/TABLE.json as
soon as it ends, and writes docs/benchmarks.md from what lies there; `--page` does the last alone, as after
`benchmarks.gpu`. Nothing else may run meanwhile: a window in which others used more than 3 % of the CPU is repeated.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import gpu_page, measures, predicting, readme, scale, whole_run
from benchmarks.machine import description
from facestudy.project.files import write_json, write_text

FOLDER, PAGE = Path("docs/benchmarks"), Path("docs/benchmarks.md")
ENVIRONMENT = Path(".venv-bench").absolute()
TABLES: dict[str, Callable[[], list[measures.Row]]] = {
    "resnet18_64": lambda: measures.throughput(ENVIRONMENT, 64),
    "resnet18_96": lambda: measures.throughput(ENVIRONMENT, 96),
    "tracking": measures.tracking,
    "frozen": lambda: measures.frozen(ENVIRONMENT),
    "settings": measures.settings,
    "preprocess": measures.preprocess,
    "memory": measures.memory,
    "repro": whole_run.stages,
    "ways": whole_run.ways,
    "scoring": whole_run.scoring,
    "scale": scale.measure,
    "predict": predicting.measure,
}
SLOW = ("ways", "scoring")
NOTES = (FOLDER / "notes.md").read_text(encoding="utf-8") if (FOLDER / "notes.md").is_file() else ""


def run(tables: list[str]) -> None:
    """Measure the tables and save each."""
    for name in tables:
        began = time.perf_counter()
        rows = TABLES[name]()
        minutes = (time.perf_counter() - began) / 60
        write_json(FOLDER / f"{name}.json", {"machine": description(), "minutes": round(minutes, 1), "rows": rows})
        print(f"{name}: {minutes:.1f} minutes", flush=True)


def ratio(of: dict[str, Any], digits: int = 2) -> str:
    """Median and, where there are several windows, the least and largest."""
    if of["windows"] == 1:
        return f"{of['median']:.{digits}f}"
    return f"**{of['median']:.{digits}f}** ({of['least']:.{digits}f} to {of['largest']:.{digits}f})"


def table(head: str, rows: list[list[str]]) -> str:
    """A table in Markdown."""
    names = head.split(" | ")
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _pairs(rows: list[measures.Row], unit: str) -> str:
    cells = []
    for row in rows:
        workers = f", {row['workers']} loader workers" if row["workers"] is not None else ""
        cells.append([f"{row['size']}", row["precision"], f"{row['against']}{workers}", ratio(row["ratio"])])
        cells[-1] += [f"{row['ours']:.1f}", f"{row['theirs']:.1f}"]
    return table(f"px | our precision | against | ratio | ours, {unit} | theirs, {unit}", cells)


def _throughput(rows: list[measures.Row]) -> str:
    intro = (
        "An epoch of the train stage (batches, augmentation, validation, scores, histograms, W&B, log) against the "
        "bare network's forward, backward and step, by fused Adam, on random tensors that lie in memory, and its "
        "forward passes over as many validation pictures; and against an epoch of others, who train in 32-true and "
        "contiguous layout, with their default Adam. `default` is the variant as it stands in params.yaml but for "
        "its batch size, 32 everywhere here; elsewhere flips are the only augmentation, as for the others. Ratio of "
        "training pictures per second, above 1 where we are faster."
    )
    parts = [
        f"{row['precision']}: " + ", ".join(f"{part} {share:.1%}" for part, share in row["parts"].items())
        for row in rows if "parts" in row
    ]  # fmt: skip
    profile = f"\n\nOf an epoch take, beside the network's own passes: {'; '.join(parts)}." if parts else ""
    return f"{intro}\n\n{_pairs(rows, 'pictures/s')}{profile}"


def _tracking(rows: list[measures.Row]) -> str:
    share = rows[0]["share"]
    return (
        "Histograms, W&B offline and the log take, of an epoch of ResNet18 from scratch at 64 px, "
        f"**{share['median']:.1%}** ({share['least']:.1%} to {share['largest']:.1%}): the seconds they hold the "
        "training up and the CPU seconds of W&B's own process."
    )


def _frozen(rows: list[measures.Row]) -> str:
    intro = (
        "Ten epochs of VGG16 with its convolutions frozen and flips. Against the forward passes that its views need "
        "(two of each training picture, one of each validation picture; random tensors): seconds over seconds, best is "
        "1. Against ten epochs of others (one epoch, times ten): how many times as fast."
    )
    return f"{intro}\n\n{_pairs(rows, 's')}"


def _settings(rows: list[measures.Row]) -> str:
    cells = [
        [row["precision"], row["layout"], "yes" if row["compile"] else "no", ratio(row["ratio"]), f"{row['ours']:.0f}",
         f"{row['first_epoch']:.1f}"] for row in rows
    ]  # fmt: skip
    intro = "Epochs of ResNet18 from scratch at 64 px against the default's (`auto`, channels_last, not compiled)."
    head = "precision | layout | compiled | ratio | pictures/s | first epoch, s"
    return f"{intro}\n\n{table(head, cells)}"


def _preprocess(rows: list[measures.Row]) -> str:
    cells = [
        [row["set"], f"{row['pictures']:,}", ratio(row["per_core"], 1),
         f"{row['memory']['median'] / 1e6:.0f}"] for row in rows
    ]  # fmt: skip
    intro = (
        "Faces found, cut and packed, the pictures of a set taken again and again: drawn faces of 128 px, and photos "
        "of at most 250 px."
    )
    return f"{intro}\n\n{table('set | pictures | pictures/s per core | peak anonymous memory, MB', cells)}"


def _memory(rows: list[measures.Row]) -> str:
    cells = [[f"{row['pictures']:,}", f"{row['peak'] / 1e6:.0f}"] for row in rows]
    more = (rows[-1]["peak"] - rows[0]["peak"]) / 1e6
    head = "pictures of 96 px | peak anonymous memory of an epoch of ResNet18, MB"
    return (
        f"{table(head, cells)}\n\n{more:+.0f} MB for {rows[-1]['pictures'] // rows[0]['pictures']} times the pictures."
    )


def _repro(rows: list[measures.Row]) -> str:
    by_name = {row["what"]: row for row in rows}
    whole, idle = by_name["from nothing"], by_name["nothing changed"]
    cells = [
        [row["what"].removeprefix("stages."), f"{row['runs']}", f"{row.get('whole', 0):.1f}" if "whole" in row else "",
         f"{row['seconds']['median']:.2f}"] for row in rows if "runs" in row
    ]  # fmt: skip
    return "\n\n".join(
        [
            f"The default `dvc repro` from nothing, everything installed: **{whole['seconds']['median'] / 60:.1f} "
            f"minutes**; of them {whole['outside']:.1%} outside the stages' own work (their start and end, and DVC). "
            f"One in which nothing changed: {ratio(idle['seconds'])} s.",
            table("stage | runs | seconds in all | start and end of one, s", cells),
        ]
    )


def _ways(rows: list[measures.Row]) -> str:
    intro = "The default study from nothing, each way once, one after another, in a clone without dvc.lock."
    return f"{intro}\n\n{_ways_table(rows)}"


def _ways_table(rows: list[measures.Row]) -> str:
    plain = next(row for row in rows if row["way"] == "dvc repro")
    cells = []
    for row in rows:
        cells.append([f"`{row['way']}`", f"{row['seconds']:.0f}", f"{row['seconds'] / plain['seconds']:.2f}"])
        cells[-1].append("" if row["other_bytes"] is None else _summary(row["other_bytes"]))
    cells.sort(key=lambda cell: cell[0] != "`dvc repro`")
    head = "way | s | ratio | outputs with other bytes than by `dvc repro`"
    return table(head, cells)


def _scoring(rows: list[measures.Row]) -> str:
    intro = "Evaluations and exports alone, of a default study trained before; both ways in turns in one clone."
    cells = [[f"`{row['way']}`", ratio(row["seconds"], 0), ratio(row["ratio"])] for row in rows]
    return f"{intro}\n\n{table('way | s | ratio', cells)}"


def _summary(paths: list[str]) -> str:
    """Their names where they are few, else how many."""
    return f"{len(paths)}" if len(paths) > 3 else ", ".join(f"`{path}`" for path in paths) or "none"


def _scale(rows: list[measures.Row]) -> str:
    stages = [stage["stage"] for stage in rows[-1]["stages"]]
    by_stage = [{stage["stage"]: stage for stage in row["stages"]} for row in rows]
    outside = [{"stage": "DVC itself", "seconds": row["outside"], "memory": None} for row in rows]
    whole = [{"stage": "all, with DVC itself", "seconds": row["seconds"], "memory": None} for row in rows]
    cells = []
    for found in [*([each[stage] for each in by_stage] for stage in stages), outside, whole]:
        spent = [each["seconds"] / row["pictures"] for each, row in zip(found, rows, strict=True)]
        cells.append([found[0]["stage"], *(f"{each['seconds']:.1f}" for each in found), f"{1000 * spent[-1]:.2f}"])
        cells[-1].append(f"{spent[-1] / spent[-2]:.2f}")
        peak = found[-1]["memory"]
        cells[-1].append("" if peak is None else f"{peak / 1e6:.0f}")
    counts = [f"{row['pictures']:,}" for row in rows]
    intro = (
        "`dvc repro` from nothing on one task, two epochs of ShuffleNet at 32 px, drawn faces again and again, each "
        "turned, moved, resized and lit at random. Seconds of each stage, start and end included; at the largest "
        "number the milliseconds a picture, how many times those of the number before, and the peak of the stage's "
        "anonymous memory."
    )
    head = " | ".join(["stage", *(f"{count}, s" for count in counts), "ms a picture", "growth", "memory, MB"])
    return f"{intro}\n\n{table(head, cells)}"


def _predict(rows: list[measures.Row]) -> str:
    cells = [
        [FORMS[row["form"]], ratio(row["one"]), ratio(row["ratio"]),
         f"{row['ours']:.1f}", f"{row['theirs']:.1f}"] for row in rows
    ]  # fmt: skip
    first = rows[0]
    intro = (
        f"`facestudy predict` with {first['models']} models: seconds of a call for one photo, with its start; "
        f"and a call for {first['photos']} photos, with its start, reading and detection, against the models' forward "
        "passes over as many faces that lie in memory."
    )
    parts = [
        f"{FORMS[row['form']]}: " + ", ".join(f"{step} {spent:.1f}" for step, spent in row["parts"].items())
        for row in rows
    ]  # fmt: skip
    profile = f"CPU milliseconds of a photo, all cores together. {'; '.join(parts)}."
    head = "models | one photo, s | ratio | ours, photos/s | theirs, photos/s"
    return f"{intro}\n\n{table(head, cells)}\n\n{profile}"


FORMS = {"onnx": "full precision", "int8": "8 bits"}
SECTIONS: dict[str, tuple[str, Callable[[list[measures.Row]], str]]] = {
    "resnet18_64": ("ResNet18 at 64 px", _throughput),
    "resnet18_96": ("ResNet18 at 96 px", _throughput),
    "tracking": ("Tracking", _tracking),
    "frozen": ("VGG16, frozen", _frozen),
    "settings": ("Precision, layout, compilation", _settings),
    "preprocess": ("Preprocessing", _preprocess),
    "memory": ("Memory of training", _memory),
    "repro": ("The whole run", _repro),
    "ways": ("Ways to run it", _ways),
    "scoring": ("Evaluations and exports side by side", _scoring),
    "scale": ("Many pictures", _scale),
    "predict": ("predict", _predict),
}


def write() -> None:
    """The page, of all tables that were measured."""
    parts = [
        "# Benchmarks\n\nMade by `make bench` from `docs/benchmarks/`; ratios first, medians with the least and "
        "largest of their windows. Ours and theirs take turns, one at work at a time."
    ]
    for name, (title, section) in SECTIONS.items():
        file = FOLDER / f"{name}.json"
        if file.is_file():
            saved = json.loads(file.read_text(encoding="utf-8"))
            machine = saved["machine"]
            versions = ", ".join(f"{library} {number}" for library, number in machine["versions"].items())
            on = (
                f"{machine['date']}, {machine['cores']} cores of {machine['processor']}, {machine['memory_gb']} GB, "
                f"bf16 instructions: {'yes' if machine['bf16'] else 'no'}; Python {machine['python']}, {versions}."
            )
            parts.append(
                f"## {title}\n\n{section(saved['rows'])}\n\n{on} Measuring took {saved['minutes']:.0f} minutes."
            )
            if name == "ways":
                readme.put(name, _ways_table([row for row in saved["rows"] if row["other_bytes"] is not None]))
    on_gpu = FOLDER / "gpu.json"
    measured = json.loads(on_gpu.read_text(encoding="utf-8")) if on_gpu.is_file() else None
    parts.append(f"## On a GPU\n\n{gpu_page.section(measured)}")
    write_text(PAGE, "\n\n".join([*parts, *([NOTES.strip()] if NOTES else [])]) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", help=f"some of {', '.join(TABLES)}; none for all but the slow ones")
    parser.add_argument("--page", action="store_true", help="measure nothing, write the page")
    arguments = parser.parse_args()
    if not arguments.page:
        run(arguments.tables or [name for name in TABLES if name not in SLOW])
    write()
