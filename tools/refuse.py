"""Refuse what must not come into Git: photos, weights, files over 5 MB; a hook of pre-commit, and a test.

python -m tools.refuse FILE...
"""

import sys
from pathlib import Path

LIMIT = 5_000_000  # bytes
PHOTOS = {".jpg", ".jpeg", ".heic", ".tif", ".tiff", ".bmp", ".webp", ".avif", ".jp2"}
WEIGHTS = {".safetensors", ".onnx", ".pt", ".pth", ".ckpt", ".pkl", ".npy", ".npz"}


def reason(path: Path) -> str | None:
    """Why a file is refused; None where it may stay."""
    ending = path.suffix.lower()
    if ending in PHOTOS:
        return "a photo; figures are PNG, and photos of people belong to DVC"
    if ending in WEIGHTS:
        return "weights or arrays; they belong to DVC"
    if path.is_file() and path.stat().st_size > LIMIT:
        return f"{path.stat().st_size / 1e6:.1f} MB; the limit is {LIMIT / 1e6:.0f} MB"
    return None


if __name__ == "__main__":
    refused = [f"{name}: {why}" for name in sys.argv[1:] if (why := reason(Path(name)))]
    sys.exit("\n".join(refused) or None)
