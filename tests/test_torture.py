"""What `make torture` says of inputs that were tried by hand."""

from tests.inputs import ROOT
from tests.torture import OUTCOMES, PAGE, public_reports, reported_inputs

ROWS = reported_inputs()


def test_every_test_that_the_table_names_is_there() -> None:
    named = [test.split("::") for row in ROWS for test in row["tests"].split()]
    assert [part for part in named if f"def {part[1]}(" not in (ROOT / part[0]).read_text(encoding="utf-8")] == []


def test_a_kind_has_an_outcome_and_what_was_mended_has_a_test() -> None:
    for row in ROWS:
        assert row["kind"] and row["tried"] and row["outcome"] in OUTCOMES, row
        assert row["tests"] or row["outcome"] == "right before", row
        assert row["report"].startswith("https://") or not row["report"], row


def test_no_kind_stands_twice_and_the_page_counts_them() -> None:
    assert len({row["kind"] for row in ROWS}) == len(ROWS)
    assert public_reports() in (ROOT / PAGE).read_text(encoding="utf-8")
