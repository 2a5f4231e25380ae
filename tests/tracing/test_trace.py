"""`facestudy trace` on the results that are in this repository, against dvc.lock and Git."""

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from facestudy.errors import StudyError
from facestudy.tracing import picture
from facestudy.tracing.records import NOT_HERE, Records
from facestudy.tracing.trace import text
from tests.inputs import ROOT

SCORES = "metrics/face/vgg16/0/scores.json"
BEHIND = ["train@face-vgg16-0", "initial_weights@vgg16", "weights@vgg16", "pretrain_faces", "preprocess@face"]
BEHIND += ["leaks@face", "split@face", "download", "check"]


def number(path: str, key: str) -> Any:
    return json.loads((ROOT / path).read_text(encoding="utf-8"))[key]


@pytest.fixture(scope="module")
def shared() -> Records:
    """DVC reads its files once for all tests."""
    return Records()


@pytest.fixture(autouse=True)
def records(shared: Records, monkeypatch: pytest.MonkeyPatch) -> Records:
    monkeypatch.chdir(ROOT)
    picture._table.cache_clear()
    return shared


@pytest.fixture(scope="module")
def lock() -> Any:
    return yaml.safe_load((ROOT / "dvc.lock").read_text(encoding="utf-8"))["stages"]


def stages(printed: str) -> list[str]:
    return [each for each in re.findall(r"^([a-z_]+(?:@\S+)?)$", printed, re.MULTILINE) if "/" not in each]


def words(printed: str) -> str:
    """Without the breaks of lines."""
    return " ".join(printed.split())


def git(*command: str) -> str:
    return subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def test_a_number_is_followed_to_the_photos(records: Records, lock: Any) -> None:
    printed = text(f"{SCORES}:accuracy", records)
    assert printed.startswith(f"{SCORES}:accuracy = {number(SCORES, 'accuracy')}\n")
    assert stages(printed) == ["evaluate@face-vgg16-0", *BEHIND]
    for stage in stages(printed):
        entry = lock[stage]
        assert f"command {entry['cmd']}" in words(printed)
        for file in [*entry["deps"], *entry["outs"]]:
            assert f"{file['path']} md5 {file['md5']}" in words(printed), (stage, file)
        for key, value in entry.get("params", {}).get("params.yaml", {}).items():
            if not isinstance(value, dict | list):
                assert f"{key}: {value if isinstance(value, str) else json.dumps(value)}" in words(printed)
    for path in ("stages/train.py", "facestudy/evaluation"):
        assert git("log", "-1", "--format=commit %h of %cs", "--", path) in printed
    assert "torch==" in printed and "timings/face/vgg16/0/train.json: seconds:" in printed
    assert f"source: sample; pictures: {number('metrics/download.json', 'pictures')}" in words(printed)


@pytest.mark.parametrize(
    ("target", "value"),
    [
        (f"{SCORES}:per_class.target.support", None),
        (f"{SCORES}:confusion_matrix.1.0", None),
        (f"{SCORES}:epochs_to.0.90", None),
        ("metrics/face/vgg16/0/history.csv:10,epoch", "10"),
        ("metrics/face/vgg16/0/corruptions.csv:block,5,pictures", str(number(SCORES, "pictures"))),
        ("timings/face/vgg16/0/train.json:device", '"cpu"'),
    ],
)
def test_any_value_has_a_name(records: Records, target: str, value: str | None) -> None:
    printed = text(target, records)
    first = printed.partition("\n")[0]
    assert first.startswith(f"{target} = ") and (value is None or first.endswith(f" = {value}"))
    assert {"download", "train@face-vgg16-0"} <= set(stages(printed))


def test_a_table_s_value_is_the_cell(records: Records) -> None:
    path = "metrics/face/vgg16/0/history.csv"
    table = pd.read_csv(path)
    printed = text(f"{path}:3,val_loss", records)
    assert float(printed.partition("\n")[0].split(" = ")[1]) == table.loc[2, "val_loss"]


@pytest.mark.parametrize(
    ("target", "first"),
    [
        ("data/checkpoints/face/vgg16/0.safetensors", "train@face-vgg16-0"),
        ("data/exported/face/vgg16/0_int8.onnx", "export@face-vgg16-0"),
        ("plots/comparison/face.png", "compare@face"),
    ],
)
def test_files_are_followed_too(records: Records, lock: Any, target: str, first: str) -> None:
    printed = text(target, records)
    assert stages(printed)[0] == first and stages(printed)[-1] == "check"
    (own,) = [out for out in lock[first]["outs"] if out["path"] == target]
    assert own["md5"] in printed
    assert Path(target).exists() or f"{target} is NOT HERE: `dvc pull` gets it" in words(printed)


def test_a_model_s_figure_leaves_the_other_models_out(records: Records) -> None:
    printed = text("plots/figures/face/vgg16_0/curves.png", records)
    assert stages(printed) == ["plot@face", "evaluate@face-vgg16-0", *BEHIND]
    assert "not shown" in printed and "train@face-resnet18_scratch-0" in printed.partition("not shown")[2]
    assert "plots/figures/face, which is recorded as a whole" in words(printed)


def test_a_sentence_is_followed_to_the_models_that_it_is_about(records: Records) -> None:
    pictures, people = number(SCORES, "pictures"), number("metrics/face/leaks.json", "people")
    for name in ("plots/report.md", "plots/report.html"):
        printed = text(f"{name}:Results > one of the {pictures} pictures", records)
        assert stages(printed)[:2] == ["report", "compare@face"]
        assert {f"evaluate@face-{variant}-0" for variant in ("vgg16", "resnet18_scratch")} <= set(stages(printed))
        assert not any("emotion" in stage for stage in stages(printed))
        assert f"{pictures}: {SCORES}:pictures ({pictures}), " in words(printed)
        assert f"metrics/face/leaks.json:people ({people})" in words(printed)


def test_a_paragraph_may_be_named_whole(records: Records) -> None:
    """Though no file can have so long a name."""
    lines = (ROOT / "plots" / "report.md").read_text(encoding="utf-8").splitlines()
    paragraph = next(line for line in lines if len(line) > 255 and "has the highest validation accuracy" in line)
    assert text(f"plots/report.md:{paragraph}", records).startswith(f"plots/report.md: {paragraph}")


@pytest.mark.parametrize(
    ("sentence", "files"),
    [
        ("Part 2 > ResNet18 from scratch > Run summary > macro F1", ["metrics/emotion/resnet18_scratch/0/scores.json"]),
        ("Part 1 > ResNet18 pretrained > Time and memory > device", ["timings/face/resnet18_pretrained/0/train.json"]),
        ("Part 1 > Exported > VGG16 with a small head | torch", ["metrics/exports/face/vgg16/0.json"]),
        ("pictures read,", ["metrics/download.json"]),
    ],
)
def test_where_a_line_s_numbers_come_from(records: Records, sentence: str, files: list[str]) -> None:
    printed = text(f"plots/report.md:{sentence}", records)
    made_from = printed.partition("made from")[2].partition("\n\n")[0].partition("numbers")[0]
    assert [file for file in made_from.split() if "/" in file][: len(files)] == files


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("", "name a file"),
        ("metrics/face/vgg16/0/score.json", r"no file of the study.*did you mean metrics/face/vgg16/0/scores\.json"),
        (f"{SCORES}:acuracy", r"has no 'acuracy'; did you mean accuracy\?\nIt has reason, task"),
        (f"{SCORES}:per_class.cat", r"scores\.json:per_class has no 'cat'"),
        ("metrics/face/vgg16/0/history.csv:val_los", "has no column 'val_los'; did you mean val_loss"),
        (
            "metrics/face/vgg16/0/history.csv:val_loss",
            "has 10 such rows; name one by its first columns: .*:EPOCH,val_loss",
        ),
        ("metrics/face/vgg16/0/history.csv:99,val_loss", "has no row 99"),
        ("plots/comparison/face.png:accuracy", "has no values that a key could name"),
        ("plots/figures/face/curve.png", r"plots/figures/face/curve\.png is not there"),
        ("plots/report.md:xyzzy", r"report\.md has no line with 'xyzzy'"),
        ("plots/report.md: ", r"name a sentence by a part of it"),
        (
            "plots/report.md:validation loss",
            r"has \d+ lines with 'validation loss'; name more of it, or the headings over it, as in",
        ),
        ("README.md", r"README\.md is written by no stage .*Git has it: commit"),
        ("params.yaml:seed", r"params\.yaml is written by no stage"),
        ("nobody.jpg", r"nobody\.jpg is no file of the study, and no picture of its index"),
    ],
)
def test_what_is_not_there_is_an_error_that_helps(records: Records, target: str, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        text(target, records)


def test_the_page_s_example_is_what_is_printed(records: Records) -> None:
    """But for hashes, commits, sizes and shares, which change with the study; `...` stands for left-out lines."""
    page = (ROOT / "docs" / "tracing.md").read_text(encoding="utf-8")
    (target, example) = re.findall(r"^\$ facestudy trace (\S+)\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[0]
    printed = masked(text(target, records))
    parts = [masked(part) for part in re.split(r"^\.\.\.$", example, flags=re.MULTILINE)]
    at = 0
    for part in parts:
        assert part in printed[at:], part
        at = printed.index(part, at) + len(part)


def masked(shown: str) -> str:
    """Words without what changes from one default run to the next, or with what is not pulled."""
    shown = re.sub(r"since commit .*?(?=\n  \w)", "since commit", shown, flags=re.DOTALL)
    shown = re.sub(r"(  state .*?)(?=\n\n\w)", "", shown, flags=re.DOTALL)
    shown = re.sub(r"\b[0-9a-f]{7,}(\.dir)?\b|[\d,]+ bytes|0\.\d+|\d{4}-\d\d-\d\d", "", shown)
    return " ".join(" ".join(shown.split()).replace(NOT_HERE, "").split())


def test_the_commands_of_the_pages_run(records: Records) -> None:
    pages = [(ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/tracing.md")]
    found = {each for page in pages for each in re.findall(r"^\$ facestudy trace (.*)$", page, re.MULTILINE)}
    for target in (shlex.split(each, comments=True)[0] for each in found):
        if not target.endswith(".jpg"):
            assert text(target, records)
