"""No pickle is read or written: opening a file of the study runs nothing that the file holds."""

import ast
from pathlib import Path

import pytest

from tests.inputs import ROOT

MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "shelve", "marshal"}
LOADERS = {"torch.load", "torch.hub.load_state_dict_from_url", "load_state_dict_from_url"}
CALLS = {"torch.save", "joblib.dump", "joblib.load", "pd.read_pickle", "pandas.read_pickle", "np.save", "numpy.save"}
FILES = sorted(path for folder in ("facestudy", "stages") for path in (ROOT / folder).rglob("*.py"))


def unsafe(text: str) -> list[str]:
    """Lines of a program that read or write pickles; torch's loaders count but for `weights_only=True`."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            found += [f"{node.lineno}: import {name}" for name in names if name.split(".")[0] in MODULES]
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            refused = name in CALLS or name.endswith(".to_pickle")
            refused |= name in LOADERS and given.get("weights_only") != "True"
            refused |= name in ("np.load", "numpy.load") and given.get("allow_pickle") != "False"
            if refused:
                found.append(f"{node.lineno}: {name}")
    return found


@pytest.mark.parametrize("path", FILES, ids=[path.relative_to(ROOT).as_posix() for path in FILES])
def test_no_file_reads_or_writes_a_pickle(path: Path) -> None:
    assert unsafe(path.read_text(encoding="utf-8")) == []


def test_planted_pickles_are_found() -> None:
    text = "import pickle\nfrom joblib import load\ntorch.load(p)\nnp.load(p)\ntable.to_pickle(p)\ntorch.save(a, p)\n"
    text += "load_state_dict_from_url(u)\n"
    assert [line.split(":")[0] for line in unsafe(text)] == ["1", "3", "4", "5", "6", "7"]
    assert unsafe("torch.load(p, weights_only=True)\nnp.load(p, allow_pickle=False)\n") == []


def test_torchvision_s_own_files_alone_are_read_by_torch() -> None:
    """They come in torch's format, are known by their hash, and are read as tensors alone (`weights_only`)."""
    texts = {path.name: path.read_text(encoding="utf-8") for path in FILES}
    users = [name for name, text in texts.items() if any(f"{loader}(" in text for loader in LOADERS)]
    assert users == ["imagenet.py"]
