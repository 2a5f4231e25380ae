from pathlib import Path

import numpy as np
import pytest

from facestudy.faces.face import Picture
from facestudy.photos.reading import read
from facestudy.project.parameters import load
from facestudy.project.sections import Preprocess
from facestudy.synthetic import photo_sets
from tests.inputs import ROOT


@pytest.fixture(scope="session")
def settings() -> Preprocess:
    """The real ones, for crops of 48 pixels with a margin of a fifth."""
    with pytest.MonkeyPatch.context() as context:
        context.chdir(ROOT)
        return load().preprocess.model_copy(update={"size": 48, "margin": 0.2})


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Files of well-lit drawn people whose faces nothing covers."""
    folder = tmp_path_factory.mktemp("drawn")
    table = photo_sets.collect_pretraining(40, 40, ["happy", "neutral"], 128, 0, folder)
    clear = table[(table["occlusion"] == "none") & (table["light"] != "very_dark")]
    return [folder / file for file in clear["file"]]


@pytest.fixture(scope="session")
def portrait(drawn: list[Path]) -> Picture:
    """One of them, 128 x 128 pixels."""
    return read(drawn[0], 1)


@pytest.fixture(scope="session")
def group_photo(portrait: Picture) -> Picture:
    """A large face and a small one beside it, 600 x 900 pixels."""
    import cv2  # noqa: PLC0415

    photo = np.full((600, 900, 3), 120, np.uint8)
    photo[:600, :600] = cv2.resize(portrait, (600, 600), interpolation=cv2.INTER_CUBIC)
    photo[200:400, 680:880] = cv2.resize(portrait, (200, 200), interpolation=cv2.INTER_AREA)
    return photo
