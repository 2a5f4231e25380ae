"""Which edits of code count as ones that change no meaning; tests/test_pipeline.py records them in a study."""

import subprocess
from pathlib import Path

import pytest
import yaml

from tools.accept_code import compared, dvc_hash, only_code_changed

BEFORE = '''"""What it does."""

LIMIT = 3  # of pictures


class Batch:
    """A batch."""

    size = 2

    def check(self, given: int) -> int:
        """Refuse too many."""
        if given > LIMIT:
            raise StudyError(f"{given} pictures are too many; take {LIMIT}")
        return given
'''


def differences(old: str, new: str) -> list[str]:
    assert old in BEFORE
    return list(compared({"a.py": BEFORE.encode()}, {"a.py": BEFORE.replace(old, new).encode()}))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# of pictures", "# of pictures in a batch"),
        ("LIMIT = 3", "LIMIT = (\n    3\n)"),
        ('"""What it does."""', '"""What it is for.\n\nAnd more."""'),
        ('        """Refuse too many."""\n', ""),
        ("pictures are too many; take", "pictures are more than"),
        ('f"{given} pictures are too many; take {LIMIT}"', '(\n    f"{given} pictures: "\n    f"at most {LIMIT}"\n)'),
    ],
)
def test_words_and_layout_change_no_meaning(old: str, new: str) -> None:
    assert differences(old, new) == []


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("LIMIT = 3", "LIMIT = 4", "a.py: the module"),
        ("given > LIMIT", "given >= LIMIT", "a.py: Batch.check"),
        ("size = 2", "size = 3", "a.py: Batch"),
        ("{given} pictures", "{LIMIT} pictures", "a.py: Batch.check"),
        ("StudyError(", "ValueError(", "a.py: Batch.check"),
        ("        return given\n", "", "a.py: Batch.check"),
        ('{LIMIT}"', '{LIMIT:>4}"', "a.py: Batch.check"),
        ("    size = 2\n\n", "    size = 2\n    size = 2\n\n", "a.py: Batch"),
    ],
)
def test_what_changes_a_result_is_named(old: str, new: str, named: str) -> None:
    assert differences(old, new) == [named]


def test_the_order_of_parts_counts() -> None:
    """A default argument, a decorator that registers, a call: what runs first decides."""
    before, now = b"def one(): pass\ndef two(): pass\n", b"def two(): pass\ndef one(): pass\n"
    assert list(compared({"a.py": before}, {"a.py": now})) == ["a.py: the order of its parts"]
    before, now = b"x = 1\ndef f(a=x): pass\nx = 2\n", b"x = 1\nx = 2\ndef f(a=x): pass\n"
    assert list(compared({"a.py": before}, {"a.py": now})) == ["a.py: the order of its parts"]
    assert list(compared({"a.py": before}, {"a.py": b"def"})) == [
        "a.py: is no Python (invalid syntax (<unknown>, line 1))"
    ]
    inner = b"raise StudyError(names['a'])", b"raise StudyError(names['b'])"
    assert list(compared({"a.py": inner[0]}, {"a.py": inner[1]})) == ["a.py: the module"]


def test_other_files_count_by_their_bytes() -> None:
    before = {"a.css": b"a", "b.css": b"b", "c.py": b""}
    assert list(compared(before, {"a.css": b"a ", "c.py": b"", "d.py": b""})) == [
        "a.css",
        "b.css: removed",
        "d.py: added",
    ]


def test_more_than_code_ends_it() -> None:
    assert only_code_changed({"train": [{"changed deps": {"facestudy/training": "modified"}}]}) == {
        "train": ["facestudy/training"]
    }
    for fault in (
        {"changed deps": {"data/raw": "modified"}},
        {"changed outs": {"data/raw": "deleted"}},
        "changed command",
    ):
        with pytest.raises(SystemExit, match="not its code alone changed"):
            only_code_changed({"split@face": [fault]})


def test_hashes_are_those_of_dvc(tmp_path: Path) -> None:
    files = {"code/b.py": b"b", "code/a/c.py": b"c", "one.py": b"one"}
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"s": {"cmd": "true", "deps": ["code", "one.py"]}}}))
    for command in (["init", "-q", "--no-scm"], ["repro", "-q"]):
        subprocess.run(["dvc", *command], cwd=tmp_path, check=True)
    deps = yaml.safe_load((tmp_path / "dvc.lock").read_text())["stages"]["s"]["deps"]
    folder = {name: content for name, content in files.items() if name.startswith("code/")}
    assert {dep["path"]: dep["md5"] for dep in deps} == {
        "code": dvc_hash("code", folder),
        "one.py": dvc_hash("one.py", {"one.py": b"one"}),
    }
