"""What `make bench` measures; each function gives the rows of one table of docs/benchmarks.md."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from PIL import Image

from benchmarks.machine import Process, spread
from facestudy.project import paths
from tests.inputs import write_params

ROOT = Path(__file__).parents[1]
PHOTOS = ROOT.parent / "shared" / "photos"
WINDOWS = 5
BARE_WINDOWS = 15  # windows of one process a few seconds apart, which vary by more than what is to be measured
PEERS = ["plain", "lightning", "fastai", "timm"]
FLIP = "augmentation={flip: true, rotation: 0, scale: 0, shift: 0, light: 0}"
Row = dict[str, Any]
Value = TypeVar("Value")


def python(folder: Path, *arguments: str, **environment: str) -> str:
    """What a module of the project printed, run in a folder; its failure ends the bench."""
    settings = {**os.environ, "PYTHONPATH": str(ROOT), "WANDB_MODE": "offline", **environment}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=folder, env=settings, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{arguments} in {folder}:\n{done.stdout}{done.stderr}")
    return done.stdout


@contextmanager
def study(size: int, drawn: bool = False) -> Iterator[Path]:
    """A folder with the face task split and packed at a size, and the same pictures as a folder for the peers.

    The pictures are photos where this machine has them, unless drawn ones are wanted.
    """
    with TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        for empty in ("photos", "pretrain-photos"):
            (folder / "data" / empty).mkdir(parents=True)
        keys: dict[str, Any] = {"preprocess.size": size}
        if PHOTOS.is_dir() and not drawn:
            columns = {"file": "file", "person": "person", "face": "face_task", "emotion": "emotion_task"}
            keys |= {"data.source": "folder", "data.folder.path": str(PHOTOS), "data.folder.columns": columns}
            keys |= {"tasks.face.positive": "positive"}
        write_params(folder, keys)
        for stage in ("check", "download", "split face", "preprocess face"):
            python(folder, "-m", f"stages.{stage.split()[0]}", *stage.split()[1:])
        table = pd.read_csv(folder / paths.split("face"), dtype=str)
        for row in table.itertuples():
            source = folder / paths.RAW / "images" / str(row.file)
            target = folder / "folder" / str(row.split) / str(row.label) / f"{source.stem}.jpg"
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.suffix == ".jpg":
                target.symlink_to(source)
            else:
                Image.open(source).convert("RGB").save(target, quality=90)
        yield folder


def ours(folder: Path, variant: str, *changes: str) -> Process:
    """Our side, on 32 pictures a step."""
    command = [sys.executable, "-m", "benchmarks.ours", variant, "batch_size=32", *changes]
    return Process(command, folder, PYTHONPATH=str(ROOT))


def best_peer(environment: Path, folder: Path, way: str, network: str, size: int) -> Process:
    """A peer with or without loader workers, whichever is faster here."""
    script = str(Path(__file__).with_name("contender.py"))
    contenders: list[tuple[float, Process]] = []
    for workers in (0, 2):
        command = [str(environment / "bin" / "python"), script, way, "folder", "--network", network]
        process = Process([*command, "--size", str(size), "--workers", str(workers)], folder)
        process.ask("epoch")
        contenders.append((process.window("epoch")["seconds"], process))
    contenders.sort(key=lambda pair: pair[0])
    contenders[1][1].stop()
    return contenders[0][1]


def rate(answer: Row) -> float:
    """Training pictures per second."""
    return float(answer["pictures"] / answer["seconds"])


def turns(sides: Mapping[str, Callable[[], Value]], windows: int) -> dict[str, list[Value]]:
    """What each side measured, window by window; in each window every side has its turn."""
    values: dict[str, list[Value]] = {name: [] for name in sides}
    for _ in range(windows):
        for name, measured in sides.items():
            values[name].append(measured())
    return values


def throughput(environment: Path, size: int) -> list[Row]:
    """ResNet18: our epochs against the bare network's steps and against each peer's epochs."""
    rows: list[Row] = []
    with study(size) as folder:
        sides = {
            "32-true": ours(folder, "resnet18_scratch", "precision=32-true", FLIP),
            "auto": ours(folder, "resnet18_scratch", FLIP),
            "default": ours(folder, "resnet18_scratch"),
        }
        for precision, process in sides.items():
            for word in ("bare", "epoch"):
                process.ask(word)
            answers = turns({word: partial(process.window, word) for word in ("bare", "epoch")}, BARE_WINDOWS)
            rows.append({"size": size, "against": "bare", "precision": precision, "workers": None})
            rows[-1] |= _compared(*(list(map(rate, answers[word])) for word in ("epoch", "bare")))
            seconds = [answer["seconds"] for answer in answers["epoch"]]
            parts = pd.DataFrame([answer["parts"] for answer in answers["epoch"]])
            rows[-1]["parts"] = parts.div(seconds, axis="index").median().to_dict()
        sides.pop("default").stop()
        peers = {way: best_peer(environment, folder, way, "resnet18", size) for way in PEERS}
        epochs = {name: partial(process.window, "epoch") for name, process in (sides | peers).items()}
        rates = {name: list(map(rate, answers)) for name, answers in turns(epochs, WINDOWS).items()}
        for way, peer in peers.items():
            for precision in sides:
                rows.append({"size": size, "against": way, "precision": precision, "workers": peer.command[-1]})
                rows[-1] |= _compared(rates[precision], rates[way])
        for process in (sides | peers).values():
            process.stop()
    return rows


def _compared(ours: list[float], theirs: list[float]) -> Row:
    """Ratio, window by window, and both medians."""
    pairs = zip(ours, theirs, strict=True)
    medians = {"ours": spread(ours)["median"], "theirs": spread(theirs)["median"]}
    return {"ratio": spread([one / other for one, other in pairs]), **medians}


def tracking() -> list[Row]:
    """Share of an epoch of ResNet18 as it stands in params.yaml that histograms, W&B and the log take."""
    with study(64) as folder:
        process = Process([sys.executable, "-m", "benchmarks.ours", "resnet18_scratch"], folder, PYTHONPATH=str(ROOT))
        process.ask("epoch")
        answers = [process.window("epoch") for _ in range(BARE_WINDOWS)]
        process.stop()
    return [{"share": spread([answer["tracking"] / answer["seconds"] for answer in answers])}]


def frozen(environment: Path) -> list[Row]:
    """Frozen VGG16 with flips: ten epochs against the forward passes they need, and against ten of each peer's."""
    rows: list[Row] = []
    size = 64
    with study(size) as folder:
        sides = {"32-true": ours(folder, "vgg16", "precision=32-true"), "auto": ours(folder, "vgg16")}
        warm = [process.ask("views") for process in sides.values()]
        pictures = warm[0]["pictures"]
        peers = {way: best_peer(environment, folder, way, "vgg16", size) for way in PEERS}

        def seconds(process: Process, word: str) -> Callable[[], float]:
            return lambda: float(process.window(word)["seconds"])

        def ten_epochs(process: Process) -> Callable[[], float]:
            # What drops the last batch of an epoch trains on fewer pictures: the time for as many as ours.
            return lambda: 10 * pictures / rate(process.window("epoch"))

        measured = {name: seconds(process, "training") for name, process in sides.items()}
        measured |= {f"{name} views": seconds(process, "views") for name, process in sides.items()}
        measured |= {way: ten_epochs(peer) for way, peer in peers.items()}
        spans = turns(measured, WINDOWS)
        for precision in sides:
            rows.append({"size": size, "against": "forward passes", "precision": precision, "workers": None})
            rows[-1] |= _compared(spans[precision], spans[f"{precision} views"])
        for way, peer in peers.items():
            for precision in sides:
                compared = _compared(spans[way], spans[precision])
                compared["ours"], compared["theirs"] = compared["theirs"], compared["ours"]
                rows.append({"size": size, "against": way, "precision": precision, "workers": peer.command[-1]})
                rows[-1] |= compared
        for process in (sides | peers).values():
            process.stop()
    return rows


def settings() -> list[Row]:
    """Our epochs of ResNet18 at 64 px in every precision and layout, and compiled, against the default's."""
    rows: list[Row] = []
    with study(64) as folder:
        default = ours(folder, "resnet18_scratch")
        default.ask("epoch")
        for precision in ("32-true", "bf16-mixed"):
            for layout, compiled in (("contiguous", False), ("channels_last", False), ("channels_last", True)):
                changes = [f"precision={precision}", f"layout={layout}", f"compile={str(compiled).lower()}"]
                process = ours(folder, "resnet18_scratch", *changes)
                first = process.ask("epoch")["seconds"]
                standard, values = [], []
                for _ in range(WINDOWS):
                    standard.append(rate(default.window("epoch")))
                    values.append(rate(process.window("epoch")))
                rows.append({"precision": precision, "layout": layout, "compile": compiled, "first_epoch": first})
                rows[-1] |= _compared(values, standard)
                process.stop()
        default.stop()
    return rows


def preprocess() -> list[Row]:
    """Pictures per second and core of preprocess with detection, and its memory, as the number of pictures grows."""
    rows: list[Row] = []
    sets: dict[str, list[tuple[int, int]]] = {"drawn faces": [(1000, 5)]}
    if PHOTOS.is_dir():
        sets["photos"] = [(1000, 5), (5000, 3), (20_000, 1)]
    for name, counts in sets.items():
        with study(64, drawn=name == "drawn faces") as folder:
            for count, windows in counts:
                command = [sys.executable, "-m", "benchmarks.packing", str(count)]
                process = Process(command, folder, PYTHONPATH=str(ROOT))
                process.ask("warm")
                answers = [process.window("pack") for _ in range(windows)]
                per_core = [rate(answer) / len(os.sched_getaffinity(0)) for answer in answers]
                rows.append({"set": name, "pictures": count, "per_core": spread(per_core)})
                rows[-1] |= {"memory": spread([answer["memory"] for answer in answers])}
                process.stop()
    return rows


def memory() -> list[Row]:
    """Peak of the anonymous memory of training ResNet18 at 96 px, on few and on many pictures."""
    rows: list[Row] = []
    for count in (1000, 50_000):
        with TemporaryDirectory(prefix="bench-") as name:
            folder = Path(name)
            write_params(folder, {})
            prepared = folder / paths.prepared("face")
            prepared.mkdir(parents=True)
            shape = (count, 96, 96, 3)
            images = np.lib.format.open_memmap(prepared / "images.npy", mode="w+", dtype=np.uint8, shape=shape)
            generator = np.random.default_rng(0)
            for start in range(0, count, 1000):
                images[start : start + 1000] = generator.integers(0, 256, (1000, *shape[1:]), dtype=np.uint8)
            images.flush()
            numbers = np.arange(count)
            table = pd.DataFrame({"file": [f"{number:06d}.png" for number in numbers]})
            table["label"] = np.where(numbers % 2, "target", "other")
            table["split"] = np.where(numbers % 5, "train", "validation")
            table.to_csv(prepared / "index.csv", index=False)
            process = ours(folder, "resnet18_scratch")
            rows.append({"pictures": count, "peak": process.ask("memory")["memory"]})
            process.stop()
    return rows
