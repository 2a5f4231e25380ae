from pathlib import Path

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager
from matplotlib.figure import Figure
from PIL import Image

from facestudy.figures import fonts, style
from facestudy.inference.answers import Answer, AnsweredFace, Photo
from facestudy.inference.boxes import boxed, caption

SIGN = "\u4e2d"  # of Chinese, which DejaVu Sans has not
LABEL = f"{SIGN}a"


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A system with a single font, in which the sign is a solid block, and a file that is no font."""
    pen = TTGlyphPen(None)
    for point in ((0, 0), (0, 1000), (1000, 1000), (1000, 0)):
        (pen.lineTo if point != (0, 0) else pen.moveTo)(point)
    pen.closePath()
    glyphs = {".notdef": TTGlyphPen(None).glyph(), "block": pen.glyph()}
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(list(glyphs))
    builder.setupCharacterMap({ord(SIGN): "block"})
    builder.setupGlyf(glyphs)
    builder.setupHorizontalMetrics(dict.fromkeys(glyphs, (1000, 0)))
    builder.setupHorizontalHeader(ascent=1000, descent=0)
    builder.setupNameTable({"familyName": "Solid Block", "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=1000, usWinAscent=1000)
    builder.setupPost()
    path = tmp_path / "fonts" / "SolidBlock-Regular.ttf"
    path.parent.mkdir()
    builder.save(path)
    (path.parent / "broken.ttf").write_bytes(b"no font")
    use(monkeypatch, path.parent)
    return path


def use(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let the fonts of a folder be those of the system; matplotlib forgets them with the test that removes them."""
    monkeypatch.setattr(font_manager.fontManager, "ttflist", [*font_manager.fontManager.ttflist])
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: list(map(str, folder.glob("*.ttf"))))
    monkeypatch.setattr(fonts, "_told", set())


def darkness(text: str) -> float:
    """The share of black pixels where a figure shows a text alone."""
    with style.style():
        figure = Figure(figsize=(1, 1))
        figure.text(0.1, 0.3, text, fontsize=40)
        picture = style.png(figure)
    path = Path("figure.png")
    path.write_bytes(picture)
    return float((np.asarray(Image.open(path).convert("L")) < 100).mean())


def test_a_figure_takes_signs_from_a_font_of_the_system(
    system: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert fonts.fallbacks(LABEL) == [system] and fonts.fallbacks("plain, é, Ж, ع") == []
    assert darkness(SIGN) > 0.15  # the block; the frame of an empty box has a twentieth
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"{system.parent / 'broken.ttf'}: a font of this system that cannot be read, passed over (")


def test_signs_that_no_font_has_are_said_once(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    recwarn: pytest.WarningsRecorder,
) -> None:
    use(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)
    assert darkness(SIGN) < 0.15
    darkness(SIGN)
    said = capsys.readouterr().err
    assert said.count(SIGN) == 1 and "fonts-noto" in said
    assert not [warning for warning in recwarn if "Glyph" in str(warning.message)]


def test_a_caption_is_in_as_many_fonts_as_it_needs(system: Path, tmp_path: Path) -> None:
    text = caption(Answer("face", "vgg16", LABEL, 0.982, {}))
    parts = list(fonts.runs(text))
    assert parts == [(system, SIGN), (fonts.dejavu(), text[1:])]
    picture = tmp_path / "grey.png"
    Image.new("RGB", (300, 200), "grey").save(picture)
    face = AnsweredFace((20, 80, 60, 60), "", np.zeros((8, 8, 3), np.uint8), [])
    drawn = np.asarray(boxed(Photo(picture, [face]), 50, [f"{SIGN * 4}\n98 %"]))
    assert (drawn == 255).all(axis=2).sum() > 250  # four solid blocks, white


@pytest.mark.parametrize("table", [b"maxp", b"hmtx", b"loca", b"cmap"])
def test_a_damaged_font_of_the_system_is_passed_over(
    system: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    table: bytes,
) -> None:
    damaged = system.read_bytes().replace(table, b"none", 1)
    system.with_name("a-regular.ttf").write_bytes(damaged)
    monkeypatch.chdir(tmp_path)
    assert darkness(SIGN) > 0.15
    times = 0 if table == b"cmap" else 1  # without its map a font is sound, but for no sign
    assert capsys.readouterr().err.count("a-regular.ttf: a font of this system that cannot be read") == times
