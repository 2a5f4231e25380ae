"""The pictures of a page of mistakes: crops, and where the network looked on them."""

import io
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from facestudy.mistakes.attribution import heat, map_layer
from facestudy.models.metadata import CheckpointMetadata
from facestudy.models.packed import Packed
from facestudy.models.pictures import Pictures

SIDE = 128  # of a picture on the page, pixels


def crops_and_heat(
    network: nn.Module, metadata: CheckpointMetadata, packed: Packed, files: Sequence[str], predictions: Sequence[str]
) -> dict[str, bytes]:
    """PNG bytes by name: FILE-crop and FILE-heat, the network's heat for the predicted class.

    A file has no heat where the network has no map, or where nothing on the map speaks for the class.
    """
    rows = pd.Series(np.arange(len(packed.index)), index=packed.index["file"]).loc[list(files)].to_numpy()
    labels = torch.tensor([metadata.classes.index(label) for label in predictions])
    device = next(network.parameters()).device
    batch = Pictures(packed.images, labels, device, rows=rows, layout=metadata.recipe.layout)
    inputs = batch.batch(torch.arange(len(rows)), None)
    layer = map_layer(network, inputs)
    crops = packed.images[rows]
    pictures = {f"{file}-crop": _png(crop) for file, crop in zip(files, crops, strict=True)}
    if layer is not None:
        warm = heat(network, layer, inputs, batch.labels)
        maps = zip(files, crops, warm, strict=True)
        pictures |= {f"{file}-heat": _png(_overlaid(crop, each)) for file, crop, each in maps if each.any()}
    return pictures


def _overlaid(crop: NDArray[np.uint8], warm: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The crop in grey under the heat in colour, the stronger the brighter."""
    grey = np.repeat(np.asarray(Image.fromarray(crop).convert("L"))[:, :, None], 3, axis=2)
    colour = 255 * colormaps["inferno"](warm)[:, :, :3]
    return np.asarray(grey * 0.5 + colour * 0.5).round().astype(np.uint8)


def _png(pixels: NDArray[np.uint8]) -> bytes:
    content = io.BytesIO()
    Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(content, format="PNG")
    return content.getvalue()
