import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from facestudy.photos.reading import UnreadablePicture, ending, read

LIMIT = 1.0  # megapixels
RAMP = np.tile(np.linspace(0, 255, 64, dtype=np.uint8), (48, 1))  # dark on the left


def saved(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, **options)
    return path


def reason(path: Path, limit: float = LIMIT) -> str:
    with pytest.raises(UnreadablePicture) as caught:
        read(path, limit)
    return str(caught.value)


def close_to_ramp(pixels: NDArray[np.uint8], within: int = 8) -> bool:
    assert pixels.shape == (48, 64, 3)
    assert pixels.dtype == np.uint8
    return bool(np.abs(pixels.astype(int) - RAMP[..., None]).max() <= within)


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "RGB", "RGBA", "LA", "YCbCr"])
@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.gif", "a.webp", "a.bmp"])
def test_every_mode_comes_out_as_the_same_rgb(tmp_path: Path, mode: str, name: str) -> None:
    grey = Image.fromarray(RAMP)
    image = grey.quantize(64) if mode == "P" else grey.convert("RGB").convert(mode)
    try:
        saved(tmp_path / name, image)
    except (OSError, ValueError):
        return  # the format has no such mode
    pixels = read(tmp_path / name, LIMIT)
    if mode == "1":  # dots of black and white, whose mean is the ramp's
        assert abs(pixels.mean() - RAMP.mean()) < 5
        assert pixels[:, :8].mean() < 20
    else:
        assert close_to_ramp(pixels)


@pytest.mark.parametrize(("name", "kind"), [("a.png", "<u2"), ("a.tif", "<u2"), ("b.tif", ">u2")])
def test_sixteen_bits_are_scaled_and_not_clipped(tmp_path: Path, name: str, kind: str) -> None:
    values = (RAMP.astype(np.uint16) * 257).astype(kind)
    mode = "I;16B" if kind == ">u2" else "I;16"
    image = Image.frombytes(mode, (64, 48), values.tobytes())
    assert close_to_ramp(read(saved(tmp_path / name, image), LIMIT), within=1)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("name", ["a.png", "a.tif", "int32.tif"])
def test_fewer_bits_in_sixteen_come_into_range(tmp_path: Path, name: str, bits: int) -> None:
    values = np.rint(RAMP / 255 * (2**bits - 1))
    image = Image.fromarray(values.astype(np.int32 if name == "int32.tif" else np.uint16))
    assert close_to_ramp(read(saved(tmp_path / name, image), LIMIT), within=1)


def test_grey_of_sixteen_bits_whose_zero_is_white(tmp_path: Path) -> None:
    values = 65535 - RAMP.astype(np.uint16) * 257
    image = Image.frombytes("I;16", (64, 48), values.astype("<u2").tobytes())
    assert close_to_ramp(read(saved(tmp_path / "a.tif", image, tiffinfo={262: 0}), LIMIT), within=1)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_colours_of_sixteen_bits_that_use_fewer_are_told(tmp_path: Path, name: str) -> None:
    colours = np.repeat(RAMP[..., None].astype(np.uint16), 3, axis=2)
    cv2.imwrite(str(tmp_path / name), colours * 16)
    assert reason(tmp_path / name).startswith("unknown range: colours of 16 bits")
    cv2.imwrite(str(tmp_path / name), colours * 257)
    assert close_to_ramp(read(tmp_path / name, LIMIT), within=1)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.HEIC", b"\0\0\0\x18ftypheic" + bytes(40), "HEIC, to be converted to JPEG first: `magick"),
        ("a.jpg", b"\0\0\0\x18ftypmif1" + bytes(40), "HEIC, to be converted to JPEG first: `magick"),
        ("a.MOV", b"\0\0\0\x18ftypqt  " + bytes(40), "video, to be cut into pictures first: `ffmpeg"),
        ("a.raf", b"FUJIFILMCCD-RAW " + bytes(40), "camera raw, to be exported as JPEG first"),
    ],
)
def test_formats_to_convert_are_told_with_how(tmp_path: Path, name: str, content: bytes, expected: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert reason(tmp_path / name).startswith(expected)


def test_the_preview_in_a_camera_raw_is_not_taken_for_the_photo(tmp_path: Path) -> None:
    preview = Image.fromarray(RAMP)
    preview.save(tmp_path / "a.NEF", "TIFF")
    preview.save(tmp_path / "b.tif", tiffinfo={50706: b"\1\4\0\0"})
    assert reason(tmp_path / "a.NEF").startswith("camera raw") and reason(tmp_path / "b.tif").startswith("camera raw")


def test_floats_from_0_to_1_are_scaled_and_others_of_unknown_range_are_refused(tmp_path: Path) -> None:
    ramp = RAMP.astype(np.float32)
    assert close_to_ramp(read(saved(tmp_path / "a.tif", Image.fromarray(ramp / 255)), LIMIT), within=1)
    assert close_to_ramp(read(saved(tmp_path / "b.tif", Image.fromarray(ramp)), LIMIT), within=1)
    assert "unknown range" in reason(saved(tmp_path / "c.tif", Image.fromarray(ramp * 9)))
    assert "unknown range" in reason(saved(tmp_path / "d.tif", Image.fromarray(ramp * np.float32("nan"))))


def test_transparency_lies_over_grey(tmp_path: Path) -> None:
    clear = Image.new("RGBA", (32, 32), (255, 0, 0, 0))
    assert (read(saved(tmp_path / "a.png", clear), LIMIT) == 128).all()
    palette = Image.new("P", (32, 32), 3)
    palette.putpalette([0, 0, 0] * 3 + [255, 0, 0])
    assert (read(saved(tmp_path / "b.png", palette, transparency=3), LIMIT) == 128).all()


def test_a_turned_photo_comes_out_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 90 degrees to the right to see it upright
    path = saved(tmp_path / "a.jpg", Image.fromarray(RAMP), exif=exif, quality=95)
    pixels = read(path, LIMIT)
    assert pixels.shape == (64, 48, 3)
    assert pixels[0].max() < 30
    assert pixels[-1].min() > 220


def test_the_first_frame_of_an_animation(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (32, 32), color) for color in ("red", "blue")]
    for name in ("a.gif", "a.webp", "a.png", "a.tif"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
        red, green, blue = read(tmp_path / name, LIMIT)[5, 5]
        assert red > 240 and green < 15 and blue < 15


def test_what_cannot_be_read_has_a_reason(tmp_path: Path) -> None:
    whole = paint_bytes("JPEG")
    files = {
        "empty.jpg": (b"", "empty file"),
        "text.jpg": (b"this is no picture", "not a picture"),
        "page.png": (b"<html></html>", "not a picture"),
        "short.jpg": (whole[: len(whole) // 2], "damaged picture"),
        "header.jpg": (whole[:20], "not a picture"),
        "short.png": (paint_bytes("PNG")[:200], "damaged picture"),
        "short.webp": (paint_bytes("WEBP")[:200], "not a picture"),
        "zero.png": (png_of_size(0, 0), "not a picture"),
        "zero.gif": (b"GIF89a" + bytes(7), ""),
        "huge.png": (png_of_size(60_000, 60_000), "too large"),
        "large.png": (png_of_size(1_100, 1_000), "too large: 1100 x 1000 pixels, the limit is 1 megapixels"),
        "thin.png": (thin(), "too small: 1 x 200 pixels"),
    }
    for name, (content, expected) in files.items():
        (tmp_path / name).write_bytes(content)
        assert reason(tmp_path / name).startswith(expected)
    assert reason(tmp_path / "absent.jpg") == "no such file"
    assert reason(tmp_path) == "not a file"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    assert reason(tmp_path / "pipe.jpg") == "not a file"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM"])
def test_random_damage_never_leaves_by_another_exception(tmp_path: Path, kind: str) -> None:
    whole = np.frombuffer(paint_bytes(kind), dtype=np.uint8)
    random = np.random.default_rng(0)
    for number in range(60):
        damaged = whole.copy()
        damaged[random.integers(0, len(whole) if number % 2 else 60, 8)] = random.integers(0, 256, 8)
        (tmp_path / "a").write_bytes(damaged.tobytes())
        try:
            assert read(tmp_path / "a", LIMIT).ndim == 3
        except UnreadablePicture as reason:
            assert str(reason)


def test_the_ending_follows_the_content(tmp_path: Path) -> None:
    path = tmp_path / "photo.PNG"
    path.write_bytes(paint_bytes("JPEG"))
    assert ending(path, LIMIT) == ".jpg"


def paint_bytes(kind: str) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def thin() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (1, 200)).save(buffer, "PNG")
    return buffer.getvalue()


def png_of_size(width: int, height: int) -> bytes:
    """The header of a PNG that claims a size, without pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    end = b"IEND"
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in (header, end)
    )
