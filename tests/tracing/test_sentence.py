"""Where the lines of this repository's report stand, and which files their numbers come from."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

from facestudy.errors import StudyError
from facestudy.tracing import sentence
from tests.inputs import ROOT

REPORT = Path("plots/report.md")


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def found(words: str) -> str:
    return " ".join(sentence.find(REPORT, words).text().split())


MODEL = "Part 1 > VGG16 with a small head > "
LINES = {
    "Beside the original > face, `vgg16`": r"%: (\S+ \(\S+\), )*metrics/face/vgg16/0/scores\.json:accuracy \(",
    "emotion, `resnet18_pretrained` | per class": r"resnet18_scratch/0/scores\.json:per_class\.angry\.recall \(",
    "Summary of Face > Most memory at its peak": r"timings/face/\w+/0/train\.json:peak_memory_mb \(",
    f"{MODEL}Epoch log > Epoch 3/10": r"3: (\S+ \(\S+\), )*metrics/face/vgg16/0/history\.csv:3,epoch \(3\)",
    f"{MODEL}Epoch log > Epoch 4/10": r"metrics/face/vgg16/0/history\.csv:4,val_loss \(",
    f"{MODEL}Run history > 4.77e-05": r"\d\.\d+e-05: metrics/face/vgg16/0/history\.csv:9,lr \(",
    "Part 1 > Exported > VGG16 with a small head torch": r"timings/face/vgg16/0/export\.json:latency_ms\.torch \(",
    "Part 1 > Exported > No probability": r"metrics/exports/face/\w+/0\.json:largest_probability_difference \(",
}


@pytest.mark.parametrize("words", LINES)
def test_a_number_leads_to_the_value_that_it_shows(words: str) -> None:
    assert re.search(LINES[words], found(words))


def test_a_probability_is_in_the_predictions() -> None:
    named = re.findall(r"^\| `(\w+\.jpg)` \| (?:.* \| ){2}[\d.]+ %", REPORT.read_text(encoding="utf-8"), re.MULTILINE)
    picture = next(each for each in named if named.count(each) == 1)
    assert re.search(rf"%: metrics/\w+/\w+/0/predictions\.csv:{picture},p_\w+ \(0\.", found(picture))


def test_what_is_no_value_is_not_said_to_be_computed() -> None:
    assert "92 %: not found as a single value in these files" in found("emotion, `vgg16` | valid")
    assert "made from no file of numbers" in found("The data differ")


@pytest.mark.parametrize("words", ["macro F1", "Results > VGG16", " > Part 2 > validation loss", "the largest class"])
def test_of_several_places_each_suggestion_is_one_line(words: str) -> None:
    with pytest.raises(StudyError, match=r"has \d+ lines with .*; name more of it, or the headings over it") as error:
        sentence.find(REPORT, words)
    suggested = [shlex.split(each)[0] for each in re.findall(r"^  ('.*')$", str(error.value), re.MULTILINE)]
    assert len(suggested) > 1
    lines = [sentence.find(REPORT, each.removeprefix(f"{REPORT}:")) for each in suggested]
    assert all(
        line.headings[1:] == each.partition(":")[2].split(" > ")[:-1]
        for line, each in zip(lines, suggested, strict=True)
    )
    assert len({(line.line, *line.headings) for line in lines}) == len(lines)


def test_headings_alone_name_no_line() -> None:
    with pytest.raises(StudyError, match="name a sentence by a part of it"):
        sentence.find(REPORT, " > Results > ")


def test_the_page_s_examples_are_one_line_each() -> None:
    examples = re.findall(r"`plots/report\.md:([^`]*)`", (ROOT / "docs" / "tracing.md").read_text(encoding="utf-8"))
    assert [sentence.find(REPORT, each) for each in examples if each != "TEXT"]


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("metrics/face/vgg16/0", "plots/report.md", "params.yaml"):
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if Path(name).is_dir() else shutil.copy)(ROOT / name, target)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_report_that_is_no_text_is_an_error(copy: Path) -> None:
    (copy / REPORT).write_bytes(b"# \xff")
    with pytest.raises(StudyError, match=r"report\.md is not readable as text .*`dvc repro` makes it anew"):
        found("anything")


def test_a_damaged_file_behind_a_sentence_is_named(copy: Path) -> None:
    (copy / "metrics/face/vgg16/0/scores.json").write_text('{"', encoding="utf-8")
    assert "scores.json is not readable as JSON" in found("Beside the original > face, `vgg16`")
