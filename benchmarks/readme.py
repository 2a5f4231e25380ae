"""The parts of README.md that are made from measured numbers."""

import re
from pathlib import Path

README = Path("README.md")


def put(name: str, text: str) -> None:
    """Replace what stands between `<!-- NAME: ... -->` and `<!-- /NAME -->`; ValueError without these lines."""
    marked = re.compile(rf"(<!-- {name}: [^\n]*-->\n).*(<!-- /{name} -->)", re.DOTALL)
    page, count = marked.subn(lambda found: f"{found[1]}\n{text}\n\n{found[2]}", README.read_text(encoding="utf-8"))
    if not count:
        raise ValueError(f"{README}: there is no part `<!-- {name}: ... -->`")
    README.write_text(page, encoding="utf-8")
