from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from facestudy.photos.reading import read
from facestudy.project.sections import Preprocess
from facestudy.synthetic import photo_sets

SETTINGS = Preprocess(
    size=48,
    margin=0.2,
    detector="haar",
    detector_file=None,
    scale_factor=1.05,
    min_neighbors=5,
    border=0.25,
    no_face="whole",
    several_faces="largest",
)


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Files of well-lit drawn people whose faces nothing covers."""
    folder = tmp_path_factory.mktemp("drawn")
    table = photo_sets.collect_pretraining(40, 40, ["happy", "neutral"], 128, 0, folder)
    clear = table[(table["occlusion"] == "none") & (table["light"] != "very_dark")]
    return [folder / file for file in clear["file"]]


@pytest.fixture(scope="session")
def portrait(drawn: list[Path]) -> NDArray[np.uint8]:
    """One of them, 128 x 128 pixels."""
    return read(drawn[0], 1)
