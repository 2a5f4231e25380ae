"""Fonts for labels in any script: DejaVu Sans, and fonts of the system for the signs that it has not."""

import sys
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from fontTools.ttLib import TTFont
from PIL import ImageFont

from facestudy.errors import printable

_told: set[str] = set()  # signs that no font has, as far as that was said


@cache
def dejavu() -> Path:
    """DejaVu Sans, which knows many scripts, from matplotlib's files; matplotlib itself is not loaded."""
    spec = find_spec("matplotlib")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"


def fallbacks(text: str) -> list[Path]:
    """Fonts of the system that together have the signs of a text that DejaVu Sans has not, the most useful first.

    Says once on standard error which signs no font has; they are drawn as empty boxes.
    """
    missing = {sign for sign in text if sign.isprintable() and not sign.isspace()} - _signs(dejavu())
    chosen: list[Path] = []
    system = _of_system() if missing else []
    while missing:
        had = {path: missing & _signs(path) for path in system}
        # On a tie a regular face, then the first by name, so that the same system chooses the same.
        best = min(had, key=lambda path: (-len(had[path]), "regular" not in path.name.lower(), path), default=None)
        if best is None or not had[best]:
            break
        chosen.append(best)
        missing -= had[best]
    unsaid = missing - _told
    if unsaid:
        _told.update(unsaid)
        shown = "".join(sorted(unsaid))
        print(
            f"No font on this system has the signs {shown}; figures show empty boxes for them. Install a font of their "
            "script (Debian: apt install fonts-noto-core fonts-noto-cjk), and draw again",
            file=sys.stderr,
        )
    return chosen


def runs(text: str) -> Iterator[tuple[Path, str]]:
    """One line of text in parts, each with the font that has its signs; a space stays with what is before it."""
    fonts = [dejavu(), *fallbacks(text)]
    part, font = "", fonts[0]
    for sign in text:
        own = font if sign.isspace() else next((path for path in fonts if sign in _signs(path)), fonts[0])
        if own != font and part:
            yield font, part
            part = ""
        part, font = part + sign, own
    if part:
        yield font, part


def family(path: Path) -> str:
    """The name under which matplotlib knows the font of a file, which it reads where it does not know it yet."""
    from matplotlib.font_manager import FontProperties, fontManager  # noqa: PLC0415 (its import takes a while)

    fontManager.addfont(path)
    return FontProperties(fname=path).get_name()


def _of_system() -> list[Path]:
    from matplotlib.font_manager import findSystemFonts  # noqa: PLC0415 (its import takes a while)

    return sorted(path for path in map(Path, findSystemFonts()) if not path.name.startswith("LastResort"))


@cache
def _signs(path: Path) -> frozenset[str]:
    """What a font has outlines for; nothing where it has none, as one of colour pictures, or where it is damaged.

    A damaged one is named on standard error.
    """
    try:
        ImageFont.truetype(path)  # what cannot be opened cannot be drawn with
        with TTFont(path, fontNumber=0, lazy=True) as font:
            if not {"glyf", "CFF ", "CFF2"} & set(font.keys()):
                return frozenset()
            return frozenset(map(chr, font.getBestCmap() or {}))
    except Exception as error:  # of many kinds, from damaged tables
        reason = f"{type(error).__name__}: {error}"
        print(printable(f"{path}: a font of this system that cannot be read, passed over ({reason})"), file=sys.stderr)
        return frozenset()
