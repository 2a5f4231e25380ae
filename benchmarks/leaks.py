"""How many planted copies the leak gate's measure finds, and how many different pictures it takes for copies.

    python -m benchmarks.leaks [FOLDER]

FOLDER (../shared/photos) holds images/ in which no two pictures are copies. Of 200 of them copies of several
kinds are made; each is compared with its original (a true pair), and all originals with each other (false
pairs). Writes docs/leaks.md: grey pixels correlated, as the gate does it; the same after the mean picture is taken
away; and 64-bit difference hashes.
"""

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance

from stages.faces.reading import read
from stages.splitting.copies import SAME, SIDE, grey, mirror
from stages.writing import write_text

PAGE = Path("docs/leaks.md")
COPIED = 200
Picture = NDArray[np.uint8]
THRESHOLDS = (0.90, SAME, 0.95, 0.97)


def _image(change: Callable[[Image.Image], Image.Image]) -> Callable[[Picture], Picture]:
    return lambda pixels: np.asarray(change(Image.fromarray(pixels)).convert("RGB"))


def _jpeg(image: Image.Image) -> Image.Image:
    held = io.BytesIO()
    image.save(held, format="JPEG", quality=20)
    return Image.open(held)


def _cut(share: float) -> Callable[[Image.Image], Image.Image]:
    def cut(image: Image.Image) -> Image.Image:
        wide, high = image.size
        ends = [round(part * side) for part in (share, 1 - share) for side in (wide, high)]
        return image.crop((ends[0], ends[1], ends[2], ends[3]))

    return cut


def _written_on(image: Image.Image) -> Image.Image:
    marked = image.copy()
    wide, high = marked.size
    ImageDraw.Draw(marked).rectangle((0, round(0.9 * high), wide, high), fill="white")
    return marked


KINDS: dict[str, Callable[[Picture], Picture]] = {
    "JPEG, quality 20": _image(_jpeg),
    "half the size": _image(lambda image: image.resize((max(16, image.width // 2), max(16, image.height // 2)))),
    "30 % brighter": _image(lambda image: ImageEnhance.Brightness(image).enhance(1.3)),
    "more contrast": _image(lambda image: ImageEnhance.Contrast(image).enhance(1.5)),
    "grey": _image(lambda image: image.convert("L")),
    "a caption": _image(_written_on),
    "2 % cut off each side": _image(_cut(0.02)),
    "5 % cut off each side": _image(_cut(0.05)),
    "turned by 3 degrees": _image(lambda image: image.rotate(3, Image.Resampling.BILINEAR)),
    "mirrored": _image(lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
}


def difference_hash(pixels: Picture) -> NDArray[np.bool_]:
    """64 bits: whether each of 8 x 9 grey cells is darker than the next."""
    cells = np.asarray(Image.fromarray(pixels).convert("L").resize((9, 8), Image.Resampling.BOX), dtype=int)
    return np.asarray(cells[:, :-1] < cells[:, 1:]).ravel()


def centred(rows: NDArray[np.float32], mean: NDArray[np.float32]) -> NDArray[np.float32]:
    """The rows less the mean picture, of length 1 again."""
    apart = rows - mean
    return np.asarray(apart / np.maximum(np.linalg.norm(apart, axis=1, keepdims=True), 1e-6))


def main(folder: Path) -> None:
    """Measure and write the page."""
    pictures = [read(path, np.inf) for path in sorted((folder / "images").iterdir())]
    random = np.random.default_rng(0)
    chosen = random.choice(len(pictures), COPIED, replace=False)
    plain = np.stack([grey(pixels) for pixels in pictures])
    mean = plain.mean(axis=0)
    hashes = np.stack([difference_hash(pixels) for pixels in pictures])
    copies = {kind: [change(pictures[place]) for place in chosen] for kind, change in KINDS.items()}
    copied = {kind: np.stack([grey(pixels) for pixels in found]) for kind, found in copies.items()}
    columns: dict[str, tuple[int, dict[str, float]]] = {}
    for name, form, thresholds in (
        ("as the gate does", lambda rows: rows, THRESHOLDS),
        ("mean taken away", lambda rows: centred(rows, mean), (0.80, *THRESHOLDS)),
    ):
        originals = form(plain)
        turned = form(mirror(plain))
        likeness = np.triu(np.maximum(originals @ originals.T, originals @ turned.T), 1)
        for threshold in thresholds:
            true = {}
            for kind, rows in copied.items():
                pairs = [np.einsum("nd,nd->n", form(rows), found[chosen]) for found in (originals, turned)]
                true[kind] = float((np.maximum(*pairs) > threshold).mean())
            columns[f"{name}, above {threshold:.2f}"] = (int((likeness > threshold).sum()), true)
    apart = np.stack([(hashes != row).sum(axis=1) for row in hashes])
    for bits in (2, 4, 6):
        false = int(np.triu(apart <= bits, 1).sum())
        true = {
            kind: float(np.mean([(difference_hash(pixels) != hashes[place]).sum() <= bits for pixels, place in
                                 zip(found, chosen, strict=True)]))
            for kind, found in copies.items()
        }  # fmt: skip
        columns[f"difference hash, at most {bits} bits"] = (false, true)
    head = ["measure", "false pairs", *KINDS]
    rows_told = [
        [name, f"{false:,}", *(f"{100 * true[kind]:.0f} %" for kind in KINDS)]
        for name, (false, true) in columns.items()
    ]
    lines = [head, ["---"] * len(head), *rows_told]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    compared = len(pictures) * (len(pictures) - 1) // 2
    write_text(
        PAGE,
        "# How well copies are found\n\n"
        f"Made by `python -m benchmarks.leaks`: of {len(pictures):,} photos no two of which are copies, {COPIED} were "
        f"copied in {len(KINDS)} ways. *False pairs*: different photos, of {compared:,} pairs, that the measure takes "
        "for copies; the other columns: the share of the copies that it finds beside their originals. The gate "
        f"(`stages/leaks.py`) correlates grey pixels at {SIDE} x {SIDE}, as they are and mirrored, and takes those "
        f"above {SAME} for copies.\n\n"
        f"{table}\n",
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("../shared/photos"))
    main(parser.parse_args().folder)
