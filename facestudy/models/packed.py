"""The packed pictures of a task, as `preprocess` and `pretrain_faces` write them."""

from dataclasses import dataclass, replace
from pathlib import Path
from tokenize import TokenError

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from facestudy.errors import StudyError
from facestudy.project.files import missing
from facestudy.project.splits import splits_for
from facestudy.project.tables import read_csv


@dataclass(frozen=True)
class Packed:
    """A packed task: images (N, H, W, 3) uint8 by memory map and its index, row i for image i."""

    images: np.ndarray
    index: pd.DataFrame

    @classmethod
    def read(cls, folder: Path) -> "Packed":
        """Open a folder with images.npy and index.csv; StudyError where one is missing, damaged or not of the other."""
        index, file = read_csv(folder / "index.csv"), folder / "images.npy"
        try:
            images = np.load(file, mmap_mode="r" if len(index) else None, allow_pickle=False)
        except FileNotFoundError:
            raise missing(file) from None
        except (ValueError, EOFError, SyntaxError, TokenError) as error:  # the last two: of a broken header
            raise _damaged(file, str(error)) from None
        if images.dtype != np.uint8 or images.ndim != 4 or len(images) != len(index):
            found = f"it holds {images.dtype} of the shape {images.shape}"
            raise _damaged(file, f"{found} for the {len(index)} rows of {folder / 'index.csv'}")
        return cls(images, index)

    def for_seed(self, seed: int) -> "Packed":
        """The task in the training of a seed: of folds, one to validate on and the others to train on."""
        return replace(self, index=self.index.assign(split=splits_for(self.index["split"], seed)))

    @property
    def size(self) -> int:
        """Side of the packed pictures, pixels."""
        return int(self.images.shape[1])

    def part(self, split: str, classes: list[str]) -> tuple[np.ndarray, Tensor, list[str]]:
        """Rows of the images, labels as indices into `classes`, and picture ids of one split."""
        rows = np.flatnonzero(self.index["split"] == split)
        labels = torch.tensor([classes.index(label) for label in self.index["label"].iloc[rows]], dtype=torch.int64)
        return rows, labels, list(self.index["file"].iloc[rows])


def _damaged(file: Path, why: str) -> StudyError:
    return StudyError(f"{file} is damaged ({why}); delete it and run `dvc repro`, which makes it again")


def class_order(labels: pd.Series, positive: str | None) -> list[str]:
    """Classes of a task in the order of the outputs: sorted, or other and positive for a binary task."""
    return ["other", positive] if positive is not None else sorted(set(labels))
