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

from facestudy.photos.formats import CAMERA_RAW, DNG_VERSION, ENDINGS, TO_CONVERT, to_convert

MIN_SIDE = 16  # pixels; below it there is no face to see
DEPTHS = (8, 10, 12, 14, 16)  # bits of whole grey values
WHITE_IS_ZERO = 262  # a TIFF tag, which is then 0
BACKGROUND = (128, 128, 128)  # behind transparent pixels: neither the dark nor the light of a face
NO_SUCH_FILE = "no such file"  # a reason, which `sources` adds the nearest name to


class UnreadablePicture(Exception):  # noqa: N818 - a finding about a picture, listed in a report, not an error
    """Why a picture was left out: a few words for the kind, a colon and the details."""


def read(path: Path, max_megapixels: float) -> NDArray[np.uint8]:
    """Pixels of a picture file, uint8 (height, width, 3), RGB, upright by its EXIF orientation.

    Grey, palette, CMYK and 16-bit pictures are converted, transparency lies over a mid grey, of an
    animation the first frame counts. Whole grey values have the fewest of 8, 10, 12, 14 or 16 bits that hold the
    brightest one, since files of 16 bits do not say how many are used; grey with a fraction is 0 to 1 or 0 to 255.
    Raises UnreadablePicture with the reason; size and format are checked on the header, before any pixel is decoded.
    """
    with _opened(path, max_megapixels) as image:
        try:
            deep = any(";16" in str(tile.args) for tile in getattr(image, "tile", []))
            negative = getattr(image, "tag_v2", {}).get(WHITE_IS_ZERO) == 0
            image.load()
            if deep and not image.mode.startswith("I"):
                _check_deep_colours(image)
            return np.asarray(_rgb(_upright(image), negative), dtype=np.uint8)
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
        raise UnreadablePicture(NO_SUCH_FILE) from None
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
            raise UnreadablePicture(to_convert(path) or f"not a picture: {_message(error)}") from None
        with image:
            # Pillow would read the small preview that comes first in it.
            raw = TO_CONVERT.get(path.suffix.lower()) == CAMERA_RAW or DNG_VERSION in getattr(image, "tag_v2", {})
            if raw and image.format == "TIFF":
                raise UnreadablePicture(CAMERA_RAW)
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


def _check_deep_colours(image: Image.Image) -> None:
    """Of colours of 16 bits Pillow keeps the upper eight, in which those of 14 and fewer leave little."""
    brightest = int(np.asarray(image.convert("RGB")).max())
    if 0 < brightest < 64:
        raise UnreadablePicture("unknown range: colours of 16 bits that are all dark; save the picture with 8 bits")


def _rgb(image: Image.Image, negative: bool) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        grey = _eight_bit(np.asarray(image))
        image = Image.fromarray(255 - grey if negative else grey)  # which Pillow does for grey of 8 bits alone
    if image.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in image.info:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, (*BACKGROUND, 255)), image).convert("RGB")
    return image.convert("RGB")


def _eight_bit(values: NDArray[Any]) -> NDArray[np.uint8]:
    lowest, highest = float(values.min()), float(values.max())
    tops = [2**bits - 1 for bits in DEPTHS] if np.issubdtype(values.dtype, np.integer) else [1, 255]
    top = next((top for top in tops if highest <= top), None)  # None for NaN too
    if top is None or lowest < 0:
        raise UnreadablePicture(f"unknown range: values from {lowest:g} to {highest:g}; save the picture with 8 bits")
    return np.rint(values.astype(np.float64) * (255 / top)).astype(np.uint8)


def _message(error: Exception) -> str:
    """First line of a library's message without the path, which is listed beside it anyway."""
    text = (str(error).splitlines() or [""])[0]
    if "cannot identify" in text:
        return "no format that is read here (JPEG, PNG, WebP, BMP, TIFF, GIF, PPM, JPEG 2000, AVIF)"
    return text or type(error).__name__
