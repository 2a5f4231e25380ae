from pathlib import Path

from tests.inputs import ROOT
from tools.data_formats import PAGE, page


def test_the_page_is_that_of_the_contracts() -> None:
    assert (ROOT / PAGE).read_text(encoding="utf-8") == page(), "run `python -m tools.data_formats`"


def test_every_field_has_its_type_and_meaning() -> None:
    rows = [line.split(" | ") for line in Path(ROOT / PAGE).read_text(encoding="utf-8").splitlines() if "| `" in line]
    assert len(rows) > 150
    assert [row for row in rows if any(cell.strip("| `") == "" for cell in row)] == []
