"""A study's metric files and histograms, made from plain numbers, for tests of plot, compare and report."""

import json
import shutil
from collections.abc import Iterable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors.numpy import save_file

from stages.scoring import challenges, operating
from stages.scoring import scores as scoring
from stages.scoring.differences import differences, seed_differences
from stages.writing import write_csv

ROOT = Path(__file__).parents[1]
FACE = ["other", "target"]
EMOTION = ["angry", "happy", "neutral", "sad", "surprise"]
TITLES = {"vgg16": "VGG16", "resnet18_scratch": "ResNet18 from scratch", "resnet18_pretrained": "ResNet18 pretrained"}
ACCURACY = {"vgg16": 0.93, "resnet18_scratch": 0.90, "resnet18_pretrained": 0.97}
VGG_NAMES = ["classifier.0.weight", "classifier.0.bias", "classifier.3.weight", "classifier.3.bias"]
KINDS = ("curves", "confusion", "calibration", "gradients", "parameters")
COPIED = ("history.csv", "scores.json", "predictions.csv", "challenges.csv")
RESNET_NAMES = [
    "conv1.weight",
    "bn1.weight",
    "bn1.bias",
    *(
        f"layer{layer}.{block}.{part}"
        for layer in range(1, 5)
        for block in range(2)
        for part in ("conv1.weight", "bn1.weight", "bn1.bias", "conv2.weight", "bn2.weight", "bn2.bias")
    ),
    "fc.weight",
    "fc.bias",
]


def make_study(
    root: Path,
    seeds: tuple[int, ...] = (0,),
    emotions: list[str] = EMOTION,
    empty: str | None = None,
    timing: bool = True,
    rule: str = "last",
    variants: Iterable[str] = tuple(TITLES),
    histograms: bool = True,
) -> None:
    """data/study.json and metrics/ and data/histograms/ below `root`; the task named by `empty` has no labels."""
    root.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(ROOT / "params.yaml", root / "params.yaml")
    write(
        root / "data" / "study.json",
        {
            "tasks": {
                "face": {"title": "Face recognition", "positive": "target"},
                "emotion": {"title": "Emotion recognition", "positive": None},
            },
            "variants": {variant: TITLES[variant] for variant in variants},
            "seeds": list(seeds),
        },
    )
    write(
        root / "metrics" / "download.json",
        {
            "source": "sample",
            "pictures": 2076,
            "rejected": {"truncated": 2},
            "labels": {"face": {"target": 215, "other": 861}, "emotion": dict.fromkeys(emotions, 200)},
            "copies": 3,
        },
    )
    for place, (task, classes) in enumerate({"face": FACE, "emotion": emotions}.items()):
        folder = root / "metrics" / task
        if task == empty:
            reason = f"no picture has a label for {task}"
            rules = {"group": "none", "leaks": "warn", "folds": 0}
            write(folder / "split.json", {"reason": reason, "classes": [], "counts": {}, **rules})
            write(folder / "preprocess.json", {"reason": reason, "found": {}, "left_out": {}, "left_out_files": []})
        else:
            sizes = {label: 43 if label == "target" else 173 if label == "other" else 40 for label in classes}
            counts = {"train": {label: 4 * size for label, size in sizes.items()}, "validation": sizes}
            rules = {"group": "none", "leaks": "warn", "folds": 0}
            write(folder / "split.json", {"reason": None, "classes": classes, "counts": counts, **rules})
            found = {label: {"one": 5 * size - 6, "none": 4, "several": 2} for label, size in sizes.items()}
            left_out = dict.fromkeys(classes, 0)
            write(
                folder / "preprocess.json",
                {"reason": None, "found": found, "left_out": left_out, "left_out_files": []},
            )
        for variant in variants:
            for seed in seeds:
                generator = np.random.default_rng([seed, place, list(TITLES).index(variant)])
                model = folder / variant / str(seed)
                model.mkdir(parents=True)
                if task == empty:
                    write_empty(root, task, variant, seed, f"no picture has a label for {task}")
                else:
                    make_model(root, task, variant, seed, classes, generator, timing, rule)
                    if histograms:
                        make_histograms(root, task, variant, seed, generator)
        copies = {"exact_copies": 1, "near_copies": 2, "people": 7, "pictures_of_them": 30, "people_known": True}
        write(folder / "leaks.json", {"rule": "warn", **copies})
        make_differences(folder, [] if task == empty else list(seeds), list(variants))


def make_differences(folder: Path, seeds: list[int], variants: list[str]) -> None:
    """What `compare` finds between the models in a task's folder."""
    by_seed: dict[str, Any] = {}
    accuracies: dict[str, list[float]] = {variant: [] for variant in variants}
    for seed in seeds:
        models = {variant: folder / variant / str(seed) for variant in variants}
        tables = {variant: pd.read_csv(model / "predictions.csv", dtype=str) for variant, model in models.items()}
        by_seed[str(seed)] = [asdict(pair) for pair in differences(tables)]
        for variant, model in models.items():
            accuracies[variant].append(json.loads((model / "scores.json").read_text())["accuracy"])
    over_seeds = [asdict(pair) for pair in seed_differences(accuracies)] if len(seeds) > 1 else []
    write(folder / "differences.json", {"by_seed": by_seed, "over_seeds": over_seeds})


def stand_in_figures(root: Path, picture_size: int = 100) -> None:
    """What `plot` and `compare` leave for the report, with noise of the given size in bytes in place of pictures."""
    noise = np.random.default_rng([0, 0]).bytes(picture_size)
    for scores in (root / "metrics").glob("*/*/*/scores.json"):
        task, variant, seed = scores.parts[-4:-1]
        folder = root / "plots" / "figures" / task / f"{variant}_{seed}"
        folder.mkdir(parents=True)
        for name in COPIED:
            shutil.copyfile(scores.with_name(name), folder / name)
        for kind in KINDS:
            (folder / f"{kind}.png").write_bytes(noise)
        for name in (f"{task}.png", f"{task}_challenges.png"):
            comparison = root / "plots" / "comparison" / name
            comparison.parent.mkdir(exist_ok=True)
            comparison.write_bytes(noise)


def write(path: Path, values: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values, indent=2), encoding="utf-8")


def write_empty(root: Path, task: str, variant: str, seed: int, reason: str) -> None:
    folder = root / "metrics" / task / variant / str(seed)
    (folder / "history.csv").write_text("epoch,train_loss,train_accuracy,val_loss,val_accuracy,lr,gradient_norm\n")
    (folder / "epochs.log").write_text("")
    (folder / "predictions.csv").write_text("file,split,truth,prediction\n")
    write_csv(folder / "challenges.csv", pd.DataFrame(columns=challenges.COLUMNS))
    write_csv(folder / "roc.csv", pd.DataFrame(columns=operating.COLUMNS))
    write(folder / "scores.json", {"reason": reason})
    write(folder / "export.json", {"reason": reason})
    path = root / "data" / "histograms" / task / variant / f"{seed}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({}, path, metadata={"reason": reason})


def make_model(
    root: Path,
    task: str,
    variant: str,
    seed: int,
    classes: list[str],
    generator: np.random.Generator,
    timing: bool,
    rule: str,
) -> None:
    folder = root / "metrics" / task / variant / str(seed)
    title = f"{TITLES[variant]} {task}"
    epochs = 10 if task == "face" or variant == "vgg16" else 15
    sizes = [173, 43] if classes == FACE else [40] * len(classes)
    truth = np.repeat(np.arange(len(classes)), sizes)
    prediction = truth.copy()
    wrong = generator.choice(len(truth), round(len(truth) * (1 - ACCURACY[variant])), replace=False)
    prediction[wrong] = (truth[wrong] + generator.choice([1, 3], len(wrong))) % len(classes)
    probabilities = np.full((len(truth), len(classes)), 0.1 / (len(classes) - 1))
    probabilities[np.arange(len(truth)), prediction] = 0.9
    positive = "target" if classes == FACE else None
    scores = score(truth, probabilities, classes, positive)
    history = make_history(epochs, scores["accuracy"], generator)
    history.to_csv(folder / "history.csv", index=False, lineterminator="\n")
    (folder / "epochs.log").write_text(
        "".join(
            f"[{title}] Epoch {row.epoch}/{epochs} | Train Loss: {row.train_loss:.4f}, Acc: {row.train_accuracy:.4f}"
            f" | Val Loss: {row.val_loss:.4f}, Acc: {row.val_accuracy:.4f}\n"
            for row in history.itertuples()
        ),
        encoding="utf-8",
    )
    last = history.iloc[-1]
    accuracies = history["val_accuracy"].tolist()
    levels = {"0.90": 0.90, "0.95": 0.95, "final": accuracies[-1]}
    reached = {
        name: next((place + 1 for place, accuracy in enumerate(accuracies) if accuracy >= level), None)
        for name, level in levels.items()
    }
    trainable = 2_000_000 if variant == "vgg16" else 11_177_538
    scores |= {
        "reason": None,
        "task": task,
        "variant": variant,
        "seed": seed,
        "positive": positive,
        "pictures": len(truth),
        "by_group": {"light": {"dim": {"pictures": 20, "accuracy": 0.8, "accuracy_interval": [0.6, 0.9]}}},
        "epoch": {"kept": epochs, "rule": rule},
        "weights": "random weights" if "scratch" in variant else "pretrained on 4000 drawn pictures of 400 people",
        "loss": float(last.val_loss),
        "generalization_gap": float(last.train_accuracy - last.val_accuracy),
        "epochs_to": reached,
        "parameters": {"trainable": trainable, "total": max(trainable, 14_700_000)},
        "train": {"accuracy": float(last.train_accuracy), "loss": float(last.train_loss)},
        "settings": {"batch_size": 32, "lr": 0.001, "trainable": ["all"], "augmentation": {"flip": True}},
    }
    write(folder / "scores.json", scores)
    table = pd.DataFrame({"file": [f"{place:016x}.png" for place in range(len(truth))]})
    table["split"] = "validation"
    table["truth"] = [classes[place] for place in truth]
    table["prediction"] = [classes[place] for place in prediction]
    table = table.join(pd.DataFrame(probabilities, columns=[f"p_{label}" for label in classes]))
    table.to_csv(folder / "predictions.csv", index=False, lineterminator="\n")
    hard = []
    for strength in (1, 3, 5):
        found = prediction.copy()
        found[generator.choice(len(truth), 12 * (strength - 1), replace=False)] = 0
        for kind in ("mask", "low_light"):
            told = challenges.outcome(truth, found, 1 if positive else None)
            hard.append({"kind": kind, "strength": strength, **told})
    write_csv(folder / "challenges.csv", pd.DataFrame(hard, columns=challenges.COLUMNS))
    forms = ("torch", "onnx", "int8")
    write(
        folder / "export.json",
        {
            "reason": None,
            "pictures": len(truth),
            "largest_probability_difference": 4.2e-7,
            "accuracy": {form: scores["accuracy"] - 0.01 * (form == "int8") for form in forms},
            "bytes": {"torch": 45_000_000, "onnx": 44_700_000, "int8": 11_300_000},
        },
    )
    points = pd.DataFrame(columns=operating.COLUMNS)
    if positive:
        points = operating.operating_points(truth == 1, probabilities[:, 1])
    write_csv(folder / "roc.csv", points)
    if timing:
        seconds = 41.5 if variant == "vgg16" else 95.25
        write(
            folder / "timing.json",
            {
                "seconds": seconds,
                "pictures_per_second": 8600 / seconds,
                "peak_memory_mb": 812.5 if variant == "vgg16" else 1204.0,
                "device": "cpu",
                "threads": 2,
            },
        )
        write(
            folder / "export_timing.json",
            {"latency_ms": {"torch": 9.5, "onnx": 4.25, "int8": 0.75}, "threads": 2},
        )


def make_history(epochs: int, final: float, generator: np.random.Generator) -> pd.DataFrame:
    steps = np.arange(1, epochs + 1)
    rise = 1 - np.exp(-steps / 2.2)
    rise /= rise[-1]
    val_accuracy = 0.6 + (final - 0.6) * rise + np.append(generator.normal(0, 0.008, epochs - 1), 0)
    return pd.DataFrame(
        {
            "epoch": steps,
            "train_loss": 0.9 - 0.85 * rise,
            "train_accuracy": 0.55 + 0.445 * rise,
            "val_loss": 0.8 - (0.8 - 3 * (1 - final)) * rise + generator.normal(0, 0.01, epochs),
            "val_accuracy": np.clip(val_accuracy, 0, 1),
            "lr": 0.001,
            "gradient_norm": 2.0 - 1.5 * rise,
        }
    )


@cache
def _score(truth: bytes, probabilities: bytes, classes: tuple[str, ...], positive: str | None) -> str:
    own = np.frombuffer(truth, dtype=np.int64)
    return json.dumps(scoring.score(own, np.frombuffer(probabilities).reshape(len(own), -1), list(classes), positive))


def score(truth: np.ndarray, probabilities: np.ndarray, classes: list[str], positive: str | None) -> dict[str, Any]:
    """The real scores, computed once for the same numbers."""
    found: dict[str, Any] = json.loads(
        _score(truth.astype(np.int64).tobytes(), probabilities.tobytes(), tuple(classes), positive)
    )
    return {"classes": classes, **found}


def make_histograms(root: Path, task: str, variant: str, seed: int, generator: np.random.Generator) -> None:
    epochs = 10 if task == "face" or variant == "vgg16" else 15
    names = VGG_NAMES if variant == "vgg16" else RESNET_NAMES
    tensors: dict[str, list[list[np.ndarray]]] = {}
    for kind, rows, tail in (("gradient", epochs, 2), ("parameter", epochs + 1, 8)):
        counts, edges = [], []
        for row in range(rows):
            scale = 0.02 * np.exp(-row / 4) if kind == "gradient" else 0.05 + 0.004 * row
            drawn = [scale * generator.standard_t(tail, 400) for _ in names]
            pairs = [np.histogram(values, bins=64) for values in drawn]
            counts.append([pair[0] for pair in pairs])
            edges.append([pair[1] for pair in pairs])
        tensors |= {f"{kind}_counts": counts, f"{kind}_edges": edges}
    path = root / "data" / "histograms" / task / variant / f"{seed}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {key: np.asarray(values, dtype=np.float32) for key, values in tensors.items()}
    save_file(arrays, path, metadata={"about": json.dumps({"parameters": names})})
