"""Copies of photos with a box and a caption at each face."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from facestudy.figures.fonts import runs
from facestudy.inference.answers import Answer, Photo
from facestudy.photos.reading import read
from facestudy.project.files import whole_file

LINE = 1.25  # height of a line of a caption, of its font's size
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe and Ito's, for the colour-blind


def caption(answer: Answer) -> str:
    """An answer in a few words: target 98.2 %."""
    return f"{answer.label} {100 * answer.probability:.1f}\N{NO-BREAK SPACE}%"


def boxed(photo: Photo, max_megapixels: float, captions: Sequence[str]) -> Image.Image:
    """The photo, upright, with a box and its caption at each face; raises UnreadablePicture as `read` does."""
    image = Image.fromarray(read(photo.path, max_megapixels))
    draw = ImageDraw.Draw(image)
    size = max(11, round(max(image.size) / 45))
    for number, (face, text) in enumerate(zip(photo.faces, captions, strict=True)):
        colour = COLOURS[number % len(COLOURS)]
        x, y, width, height = face.box
        draw.rectangle((x, y, x + width, y + height), outline=colour, width=max(2, size // 8))
        lines = [[(ImageFont.truetype(path, size), part) for path, part in runs(line)] for line in text.split("\n")]
        right = round(max(sum(font.getlength(part) for font, part in line) for line in lines))
        bottom = round(LINE * size * len(lines))
        text_x = min(max(0, x), max(0, image.width - right))
        text_y = y - bottom - 4 if y - bottom - 4 >= 0 else min(y + height + 2, max(0, image.height - bottom - 4))
        draw.rectangle((text_x - 3, text_y - 3, text_x + right + 3, text_y + bottom + 3), fill=colour)
        for row, line in enumerate(lines):
            start, baseline = float(text_x), text_y + LINE * size * row + size
            for font, part in line:
                draw.text((start, baseline), part, font=font, fill="white", anchor="ls")
                start += font.getlength(part)
    return image


def write_boxed(photo: Photo, folder: Path, max_megapixels: float, used: set[str]) -> None:
    """Write the boxed copy as JPEG into the folder, under the photo's name and `_faces`, and add its name to `used`.

    A name in `used` gets a number. Raises UnreadablePicture as `read` does.
    """
    name, number = f"{photo.path.stem}_faces.jpg", 1
    while name in used:
        number += 1
        name = f"{photo.path.stem}_faces_{number}.jpg"
    used.add(name)
    captions = ["\n".join(map(caption, face.answers)) for face in photo.faces]
    with whole_file(folder / name) as temporary:
        boxed(photo, max_megapixels, captions).save(temporary, format="JPEG", quality=92)
