"""The commands that docs/ shows, to run them with other addresses."""

import re

from tests.inputs import ROOT


def commands(page: str, section: str) -> list[str]:
    """The lines of a section's console blocks, without what installs packages."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    (body,) = re.findall(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", text, flags=re.DOTALL | re.MULTILINE)
    blocks = re.findall(r"^```console\n(.*?)^```$", body, flags=re.DOTALL | re.MULTILINE)
    lines = [line.removeprefix("$ ") for line in "".join(blocks).splitlines()]
    assert lines
    return [line for line in lines if not line.startswith("pip install")]


def with_values(lines: list[str], values: dict[str, str]) -> str:
    """One script of these lines, with each of the texts replaced; none may be missing."""
    script = "\n".join(["set -eo pipefail", *lines])
    for text, value in values.items():
        assert text in script, text
        script = script.replace(text, value)
    return script
