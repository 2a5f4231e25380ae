"""A study in a temporary folder: the real params.yaml with a few keys changed, and painted photos."""

import copy
import csv
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
from ruamel.yaml import YAML

from facestudy.contracts.exports import Preparation
from facestudy.project import paths
from facestudy.project.files import write_json
from facestudy.project.parameters import load

ROOT = Path(__file__).parents[1]
REAL_PHOTOS = ROOT / ".." / "shared" / "photos"
# Before a command: without these two rights root is refused, as the owner of a closed folder would be.
NO_OVERRIDE = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
NOWHERE = "http://127.0.0.1:9"  # the discard port: nothing listens there


def write_params(folder: Path, changes: dict[str, Any]) -> None:
    """Copy params.yaml into a folder with {"data.source": "folder"} changed; "DELETE" removes a key."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False  # as it stands there: DVC takes no address within braces
    values = yaml.load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    for key, value in changes.items():
        *above, last = key.split(".")
        section = values
        for part in above:
            section = section[part]
        if value == "DELETE":
            del section[last]
        else:
            section[last] = copy.deepcopy(value)  # a later change within it is not one of the caller's
    with (folder / "params.yaml").open("w", encoding="utf-8") as file:
        yaml.dump(values, file)


def paint(path: Path, number: int, size: tuple[int, int] = (40, 48)) -> Path:
    """A picture of noise, another one for each number; the format follows the name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def write_labels(path: Path, rows: list[dict[str, str]], encoding: str = "utf-8") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def labelled_folder(folder: Path, faces: int = 10, emotions: int = 10) -> list[dict[str, str]]:
    """labels.csv and images/: half the faces are the target, half the emotions happy; four pictures a person."""
    rows = []
    for number in range(faces):
        label = "target" if number % 2 else "stranger"
        rows.append({"file": f"f{number}.png", "person": f"p{number // 4}", "face": label, "emotion": ""})
    for number in range(emotions):
        label = "happy" if number % 2 else "sad"
        rows.append({"file": f"e{number}.png", "person": f"q{number // 4}", "face": "", "emotion": label})
    for number, row in enumerate(rows):
        paint(folder / "images" / row["file"], number)
    write_labels(folder / "labels.csv", rows)
    return rows


def pack_noise(count: int, train: int) -> None:
    """The face task as `preprocess` leaves it in the current folder: bright and dark noise of 32 px."""
    label = np.arange(count) % 2
    noise = np.random.default_rng(0).integers(0, 120, (count, 32, 32, 3)) + 60 * label[:, None, None, None]
    folder = paths.prepared("face")
    folder.mkdir(parents=True)
    np.save(folder / "images.npy", noise.astype(np.uint8))
    table = pd.DataFrame({"file": [f"{number}.png" for number in range(count)]})
    table["label"] = np.where(label, "target", "other")
    table["split"] = np.where(np.arange(count) < train, "train", "validation")
    table.to_csv(folder / "index.csv", index=False)
    write_preparation("face")


def write_preparation(task: str) -> None:
    """settings.json of packed pictures, of params.yaml in the current folder."""
    settings = load()
    preparation = Preparation(preprocess=settings.preprocess, max_megapixels=settings.data.max_megapixels)
    write_json(paths.prepared(task) / "settings.json", preparation)
