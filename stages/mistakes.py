"""Pages of the mistakes of a task's models: the surest ones, and for several classes those most often confused.

In: data/prepared/<task>/, the checkpoints of the task's models, their predictions.csv that `plot` left in
plots/figures/<task>/, and the study's names (data/study.json).
Out: plots/mistakes/<task>/<variant>_<seed>.html, with the pictures inside it; in DVC's cache, not in Git. One process
for all models of a task, for its start takes longer than their pages.
"""

import io
import sys

import numpy as np
import pandas as pd
import torch
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image

from stages import paths
from stages.errors import main
from stages.figures.results import entry, read_json, read_table
from stages.reporting.gallery import Mistake, gallery
from stages.reporting.page import page
from stages.training import checkpoints
from stages.training.attribution import heat, map_layer
from stages.training.loop import fabric_for
from stages.training.pictures import Packed, Pictures
from stages.training.trained import trained
from stages.writing import whole_folder

SUREST, PAIRS, EXAMPLES = 24, 3, 8
SIDE = 128  # of a picture on the page, pixels


def mistakes(task: str) -> None:
    """Write a page for each model of the task; StudyError where a model's files are missing."""
    study = read_json(paths.STUDY)
    title = entry(study, "tasks", task)["title"]
    with whole_folder(paths.mistakes(task)) as folder:
        for variant, name in study["variants"].items():
            for seed in study["seeds"]:
                text = _page(task, variant, seed, f"{title}, {name}, seed {seed}")
                (folder / f"{variant}_{seed}.html").write_text(text, encoding="utf-8")


def _page(task: str, variant: str, seed: int, title: str) -> str:
    """A model's page; one that says so where there is no error, which is so where there is no picture."""
    predictions = read_table(paths.model_figures(task, variant, seed) / "predictions.csv", text=True)
    wrong = predictions[(predictions["split"] == "validation") & (predictions["truth"] != predictions["prediction"])]
    sure = [float(row[f"p_{row['prediction']}"]) for _, row in wrong.iterrows()]
    wrong = wrong.assign(sure=sure).sort_values(["sure", "file"], ascending=[False, True], ignore_index=True)
    surest, confused = wrong.head(SUREST), _confused(wrong)
    shown = pd.concat([surest, *confused.values()]).drop_duplicates("file", ignore_index=True)
    pictures = _pictures(task, variant, seed, shown) if len(shown) else {}

    def told(table: pd.DataFrame) -> list[Mistake]:
        return [
            Mistake(file, truth, named, share, f"{file}-crop", f"{file}-heat" if f"{file}-heat" in pictures else None)
            for file, truth, named, share in zip(
                table["file"], table["truth"], table["prediction"], table["sure"], strict=True
            )
        ]

    text = gallery(title, len(wrong), told(surest), {pair: told(table) for pair, table in confused.items()})
    return page(text, pictures)


def _confused(wrong: pd.DataFrame) -> dict[tuple[str, str, int], pd.DataFrame]:
    """The pairs of truth and prediction that occur most, with how often and their surest pictures; of many classes."""
    if wrong[["truth", "prediction"]].stack().nunique() < 3:  # two classes have just the one pair
        return {}
    counts = wrong.groupby(["truth", "prediction"]).size().sort_values(ascending=False, kind="stable").head(PAIRS)
    found = {}
    for (truth, prediction), number in zip(counts.index, counts, strict=True):
        same = (wrong["truth"] == truth) & (wrong["prediction"] == prediction)
        found[truth, prediction, int(number)] = wrong[same].head(EXAMPLES)
    return found


def _pictures(task: str, variant: str, seed: int, shown: pd.DataFrame) -> dict[str, bytes]:
    """PNG bytes by name: each picture's crop and, where the network has maps, its heat over the crop."""
    state, about = checkpoints.load(paths.checkpoint(task, variant, seed))
    fabric = fabric_for("32-true")
    network = trained(state, about, fabric.device)
    packed = Packed.read(paths.prepared(task))
    place = {file: row for row, file in enumerate(packed.index["file"])}
    rows = np.array([place[file] for file in shown["file"]])
    labels = torch.tensor([about["classes"].index(label) for label in shown["prediction"]])
    batch = Pictures(packed.images, labels, fabric.device, rows=rows, layout=about["recipe"]["layout"])
    inputs = batch.batch(torch.arange(len(rows)), None)
    layer = map_layer(network, inputs)
    warm = heat(network, layer, inputs, batch.labels) if layer is not None else None
    found = {}
    for number, file in enumerate(shown["file"]):
        crop = packed.images[rows[number]]
        found[f"{file}-crop"] = _png(crop)
        if warm is not None:
            found[f"{file}-heat"] = _png(overlaid(crop, warm[number]))
    return found


def overlaid(crop: NDArray[np.uint8], warm: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The crop in grey under the heat in colour, the stronger the brighter."""
    grey = np.repeat(np.asarray(Image.fromarray(crop).convert("L"))[:, :, None], 3, axis=2)
    colour = 255 * colormaps["inferno"](warm)[:, :, :3]
    return np.asarray(grey * 0.5 + colour * 0.5).round().astype(np.uint8)


def _png(pixels: NDArray[np.uint8]) -> bytes:
    packed = io.BytesIO()
    Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(packed, format="PNG")
    return packed.getvalue()


if __name__ == "__main__":
    main(mistakes, *sys.argv[1:])
