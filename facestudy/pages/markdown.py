"""Markdown that says just what was meant, whatever stands in a label: filters of the templates, and their rendering."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

SPECIAL = re.compile(r"([\\`*_\[\]<>|&~$#!@:])")


def plain(text: object) -> str:
    """Text of a user with every sign that Markdown would read escaped; line breaks become spaces."""
    clean = "".join(sign if sign.isprintable() else " " for sign in str(text))
    return SPECIAL.sub(r"\\\1", clean)


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


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun: 1 picture, 2 pictures."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def listed(words: Sequence[str]) -> str:
    """Words in a sentence: a, b and c."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def row(cells: Iterable[str]) -> str:
    """A row of a Markdown table, of cells that are Markdown already."""
    return f"| {' | '.join(cells)} |"


def table(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, the first row its head; after the first column numbers stand to the right."""
    return "\n".join([row(rows[0]), row(["---"] + ["---:"] * (len(rows[0]) - 1)), *map(row, rows[1:])])


def formatted(value: object, form: str) -> str:
    """A value in a form of Python's, as in `0.1234 | formatted(".1%")`: 12.3 %."""
    return format(value, form).replace("%", " %")


def render(template: Path, **values: object) -> str:
    """A Jinja2 template with values; the text of a user in it needs the filter `plain`, for nothing escapes it."""
    environment = Environment(
        loader=FileSystemLoader(template.parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    filters = (plain, fenced, percent, within, points, counted, listed, row, table, formatted)
    environment.filters |= {each.__name__: each for each in filters}
    return environment.get_template(template.name).render(values)
