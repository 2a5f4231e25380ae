from tests.conftest import unexpected_skips


def test_a_skip_that_is_not_listed_is_told() -> None:
    assert unexpected_skips({"tests/a.py::x", "tests/b.py::y"}, "# why\ntests/a.py::x\n") == ["tests/b.py::y"]
    assert unexpected_skips(set(), "tests/a.py::x\n") == []
