"""Any picture file to RGB pixels, or to the reason why it cannot be read."""

import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

# Formats that are read, with the ending that a copy gets; Pillow's others run old or outside decoders.
ENDINGS = {
    "JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "BMP": ".bmp", "DIB": ".bmp", "TIFF": ".tif", "GIF": ".gif",
    "PPM": ".ppm", "JPEG2000": ".jp2", "AVIF": ".avif",
}  # fmt: skip
MIN_SIDE = 16  # pixels; below it there is no face to see
BACKGROUND = (128, 128, 128)  # behind transparent pixels: neither the dark nor the light of a face


class UnreadablePicture(Exception):  # noqa: N818 - a finding about a picture, listed in a report, not an error
    """Why a picture was left out: a few words for the kind, a colon and the details."""


def read(path: Path, max_megapixels: float) -> NDArray[np.uint8]:
    """Pixels of a picture file, uint8 (height, width, 3), RGB, upright by its EXIF orientation.

    Grey, palette, CMYK and 16-bit pictures are converted, transparency lies over a mid grey, of an
    animation the first frame counts. Raises UnreadablePicture with the reason; size and format
    are checked on the header, before any pixel is decoded.
    """
    with _opened(path, max_megapixels) as image:
        try:
            image.load()
            return np.asarray(_rgb(_upright(image)), dtype=np.uint8)
        except UnreadablePicture:
            raise
        except Exception as error:  # decoders raise whatever broken bytes lead them to
            raise UnreadablePicture(f"damaged picture: {_message(error)}") from None


def ending(path: Path, max_megapixels: float) -> str:
    """Ending that suits a picture's true format, ".jpg" for one, whatever its name says."""
    with _opened(path, max_megapixels) as image:
        # MPO, a JPEG with more than one frame, has no reader of its own
        return ENDINGS.get(str(image.format), ".jpg")


@contextmanager
def _opened(path: Path, max_megapixels: float) -> Iterator[Image.Image]:
    """A picture whose header is read and whose size is allowed; Pillow's warnings on odd metadata are not shown."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        raise UnreadablePicture("no such file") from None
    if not stat.S_ISREG(status.st_mode):  # a pipe would be waited for, without end
        raise UnreadablePicture("not a file")
    if status.st_size == 0:
        raise UnreadablePicture("empty file")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = Image.open(path, formats=tuple(ENDINGS))
        except Image.DecompressionBombError as error:
            raise UnreadablePicture(f"too large: {_message(error)}") from None
        except PermissionError:
            raise UnreadablePicture("no permission to read") from None
        except Exception as error:
            raise UnreadablePicture(f"not a picture: {_message(error)}") from None
        with image:
            _check_size(image, max_megapixels)
            yield image


def _check_size(image: Image.Image, max_megapixels: float) -> None:
    size = f"{image.width} x {image.height} pixels"
    if image.width * image.height > max_megapixels * 1e6:
        limit = f"the limit is {max_megapixels:g} megapixels (data.max_megapixels)"
        raise UnreadablePicture(f"too large: {size}, {limit}")
    if min(image.size) < MIN_SIDE:
        raise UnreadablePicture(f"too small: {size}, at least {MIN_SIDE} are needed on each side")


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # a broken EXIF block does not spoil the pixels
        return image


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        image = Image.fromarray(_eight_bit(np.asarray(image)))
    if image.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in image.info:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, (*BACKGROUND, 255)), image).convert("RGB")
    return image.convert("RGB")


def _eight_bit(values: NDArray[Any]) -> NDArray[np.uint8]:
    lowest, highest = float(values.min()), float(values.max())
    scale = 255 / 65535 if np.issubdtype(values.dtype, np.integer) else 255.0 if highest <= 1 else 1.0
    if not (lowest >= 0 and highest * scale <= 255):  # NaN fails both
        raise UnreadablePicture(f"unknown range: values from {lowest:g} to {highest:g}")
    return np.rint(values.astype(np.float64) * scale).astype(np.uint8)


def _message(error: Exception) -> str:
    """First line of a library's message without the path, which is listed beside it anyway."""
    text = (str(error).splitlines() or [""])[0]
    if "cannot identify" in text:
        return "no format that is read here (JPEG, PNG, WebP, BMP, TIFF, GIF, PPM, JPEG 2000, AVIF)"
    return text or type(error).__name__
