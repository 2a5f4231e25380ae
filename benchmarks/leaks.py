"""How many planted copies the leak check's measure finds, and how many different pictures it reports as copies.

    python -m benchmarks.leaks [FOLDER]

FOLDER (../shared/photos) holds images/ in which no two pictures are copies. Of 200 of them copies of several kinds
are made; each is compared with its original (a true pair), and all originals with each other (false pairs). Writes
docs/leaks.md: grey pixels correlated, as the check does it; the same after subtracting the mean picture; and 64-bit
difference hashes.
"""

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance

from facestudy.photos.reading import read
from facestudy.photos.similarity import MIN_CORRELATION, NO_LIMIT, SIDE, grey, mirror
from facestudy.project.files import write_text

PAGE = Path("docs/leaks.md")
COPIED = 200
Picture = NDArray[np.uint8]
Rows = NDArray[np.float32]
THRESHOLDS = (0.90, MIN_CORRELATION, 0.95, 0.97)


def _jpeg(image: Image.Image) -> Image.Image:
    file = io.BytesIO()
    image.save(file, format="JPEG", quality=20)
    return Image.open(file)


def _cut(image: Image.Image, share: float) -> Image.Image:
    left, top, right, bottom = (round(part * side) for part in (share, 1 - share) for side in image.size)
    return image.crop((left, top, right, bottom))


def _captioned(image: Image.Image) -> Image.Image:
    captioned = image.copy()
    width, height = image.size
    ImageDraw.Draw(captioned).rectangle((0, round(0.9 * height), width, height), fill="white")
    return captioned


KINDS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG, quality 20": _jpeg,
    "half the size": lambda image: image.resize((max(16, image.width // 2), max(16, image.height // 2))),
    "30 % brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.3),
    "more contrast": lambda image: ImageEnhance.Contrast(image).enhance(1.5),
    "grey": lambda image: image.convert("L"),
    "a caption": _captioned,
    "2 % cut off each side": lambda image: _cut(image, 0.02),
    "5 % cut off each side": lambda image: _cut(image, 0.05),
    "turned by 3 degrees": lambda image: image.rotate(3, Image.Resampling.BILINEAR),
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
}


def difference_hash(pixels: Picture) -> NDArray[np.bool_]:
    """64 bits: whether each of 8 x 9 grey cells is darker than the next."""
    cells = np.asarray(Image.fromarray(pixels).convert("L").resize((9, 8), Image.Resampling.BOX), dtype=int)
    return np.asarray(cells[:, :-1] < cells[:, 1:]).ravel()


def centred(rows: Rows, mean: Rows) -> Rows:
    """The rows less the mean picture, of length 1 again."""
    difference = rows - mean
    return np.asarray(difference / np.maximum(np.linalg.norm(difference, axis=1, keepdims=True), 1e-6))


def measure(pictures: list[Picture]) -> dict[str, tuple[int, dict[str, float]]]:
    """By measure and threshold: false pairs among all pictures, and the share of copies found, by kind."""
    chosen = np.random.default_rng(0).choice(len(pictures), COPIED, replace=False)
    originals = [Image.fromarray(pictures[index]) for index in chosen]
    copies = {kind: [np.asarray(change(each).convert("RGB")) for each in originals] for kind, change in KINDS.items()}
    plain = np.stack([grey(pixels) for pixels in pictures])
    mean = plain.mean(axis=0)
    results: dict[str, tuple[int, dict[str, float]]] = {}
    for name, form, thresholds in (
        ("as the check does", lambda rows: rows, THRESHOLDS),
        ("mean subtracted", lambda rows: centred(rows, mean), (0.80, *THRESHOLDS)),
    ):
        upright, mirrored = form(plain), form(mirror(plain))
        pairs = np.triu(np.maximum(upright @ upright.T, upright @ mirrored.T), 1)
        correlations = {}
        for kind, copied in copies.items():
            rows = form(np.stack([grey(pixels) for pixels in copied]))
            correlations[kind] = np.maximum(*((rows * side[chosen]).sum(axis=1) for side in (upright, mirrored)))
        for threshold in thresholds:
            true = {kind: float((values > threshold).mean()) for kind, values in correlations.items()}
            results[f"{name}, above {threshold:.2f}"] = (int((pairs > threshold).sum()), true)
    hashes = np.stack([difference_hash(pixels) for pixels in pictures])
    distances = np.concatenate([(hashes[row + 1 :] != hashes[row]).sum(axis=1) for row in range(len(hashes))])
    of_copies = {
        kind: (np.stack([difference_hash(pixels) for pixels in copied]) != hashes[chosen]).sum(axis=1)
        for kind, copied in copies.items()
    }
    for bits in (2, 4, 6):
        true = {kind: float((values <= bits).mean()) for kind, values in of_copies.items()}
        results[f"difference hash, at most {bits} bits"] = (int((distances <= bits).sum()), true)
    return results


def main(folder: Path) -> None:
    """Measure and write the page."""
    pictures = [read(path, NO_LIMIT) for path in sorted((folder / "images").iterdir())]
    lines = [["measure", "false pairs", *KINDS], ["---"] * (2 + len(KINDS))]
    for name, (false, true) in measure(pictures).items():
        lines.append([name, f"{false:,}", *(f"{100 * true[kind]:.0f} %" for kind in KINDS)])
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    compared = len(pictures) * (len(pictures) - 1) // 2
    write_text(
        PAGE,
        "# How well copies are found\n\n"
        f"Made by `python -m benchmarks.leaks`: of {len(pictures):,} photos no two of which are copies, {COPIED} were "
        f"copied in {len(KINDS)} ways. *False pairs*: different photos, of {compared:,} pairs, that the measure "
        "reports as copies; the other columns: the share of the copies that it finds beside their originals. The leak "
        f"check (`stages/leaks.py`) correlates grey pixels at {SIDE} x {SIDE}, as they are and mirrored, and reports "
        f"those above {MIN_CORRELATION} as copies.\n\n"
        f"{table}\n",
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("../shared/photos"))
    main(parser.parse_args().folder)
