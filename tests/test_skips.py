from tests.conftest import ALLOWED, unexpected_skips
from tests.inputs import ROOT


def test_a_skip_that_is_not_listed_is_reported() -> None:
    assert unexpected_skips({"tests/a.py::x", "tests/b.py::y"}, "# why\ntests/a.py::x\n") == ["tests/b.py::y"]
    assert unexpected_skips(set(), "tests/a.py::x\n") == []


def test_every_test_of_the_list_is_there() -> None:
    names = [line for line in ALLOWED.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    parts = [name.partition("[")[0].split("::") for name in names]
    assert [part for part in parts if f"def {part[1]}(" not in (ROOT / part[0]).read_text(encoding="utf-8")] == []
