"""Formats of photos: those that are read, and those that a user has to convert, with how to."""

from pathlib import Path

# Formats that are read, with the ending that a copy gets; Pillow's others run old or outside decoders.
ENDINGS = {
    "JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "BMP": ".bmp", "DIB": ".bmp", "TIFF": ".tif", "GIF": ".gif",
    "PPM": ".ppm", "JPEG2000": ".jp2", "AVIF": ".avif",
}  # fmt: skip
HEIC = "HEIC, to be converted to JPEG first: `magick mogrify -format jpg *.heic`"
JPEG_XL = "JPEG XL, to be converted to JPEG first: `magick mogrify -format jpg *.jxl`"
CAMERA_RAW = "camera raw, to be exported as JPEG first: `darktable-cli photo.nef photo.jpg`"
VIDEO = "video, to be cut into pictures first: `ffmpeg -i FILE -vf fps=1 %04d.jpg`"
RAW_ENDINGS = (
    ".3fr .arw .cr2 .cr3 .crw .dcr .dng .erf .iiq .kdc .mef .mos .mrw .nef .nrw .orf .pef .raf .raw .rw2 .rwl .sr2 "
    ".srf .srw .x3f"
)
VIDEO_ENDINGS = ".3gp .avi .m4v .mkv .mov .mp4 .mpeg .mpg .mts .webm .wmv"
# By ending: why a file of a format that is not read is left out, and what makes a picture of it.
TO_CONVERT = {
    **dict.fromkeys((".heic", ".heif", ".hif"), HEIC),
    ".jxl": JPEG_XL,
    **dict.fromkeys(RAW_ENDINGS.split(), CAMERA_RAW),
    **dict.fromkeys(VIDEO_ENDINGS.split(), VIDEO),
}
HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
DNG_VERSION = 50706  # a TIFF tag


def to_convert(path: Path) -> str:
    """Why a file that is no picture here must be converted, and how; "" where its format is not known."""
    with path.open("rb") as file:
        start = file.read(12)
    if start[4:8] == b"ftyp" and start[8:12] in HEIC_BRANDS:  # whatever the name says, as of a phone's IMG_1.jpg
        return HEIC
    return TO_CONVERT.get(path.suffix.lower(), "")
