"""Markdown that says just what was meant, whatever stands in a label."""

import re
from collections.abc import Iterable, Sequence

SPECIAL = re.compile(r"([\\`*_\[\]<>|&~$#!@:])")


def plain(text: object) -> str:
    """Text of a user with every sign that Markdown would read escaped; line breaks become spaces."""
    clean = "".join(sign if sign.isprintable() else " " for sign in str(text))
    return SPECIAL.sub(r"\\\1", clean)


def table(head: Sequence[str], rows: Iterable[Sequence[str]], text_columns: int = 1) -> str:
    """A Markdown table of cells that are Markdown already; after the first columns numbers stand to the right."""
    rule = ["---" if place < text_columns else "---:" for place in range(len(head))]
    return "\n".join("| " + " | ".join(row) + " |" for row in [list(head), rule, *map(list, rows)])


def fenced(text: str) -> str:
    """Text shown as it is; the fence is longer than any in the text."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text.rstrip()}\n{fence}"


def percent(share: float) -> str:
    """A share in 0..1 as in the original study: 97.7 %."""
    return f"{100 * share:.1f} %"


def within(interval: Sequence[float] | None, form: str = "") -> str:
    """An interval in brackets after its value, as percentages or in the given form; nothing where there is none."""
    if interval is None:
        return ""
    low, high = (form.format(end) if form else f"{100 * end:.1f}" for end in interval)
    return f" ({low} to {high})"


def points(difference: float) -> str:
    """A difference of two shares in percentage points."""
    return f"{100 * difference:.1f} points"


def counted(number: int, noun: str) -> str:
    """A number with its noun: 1 picture, 2 pictures."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def listed(words: Sequence[str]) -> str:
    """Words in a sentence: a, b and c."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def slugs(headings: Iterable[str]) -> list[str]:
    """Anchors of headings as GitHub makes them, numbered where they repeat."""
    seen: dict[str, int] = {}
    anchors = []
    for heading in headings:
        anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        anchors.append(f"{anchor}-{seen[anchor]}" if anchor in seen else anchor)
        seen[anchor] = seen.get(anchor, 0) + 1
    return anchors
