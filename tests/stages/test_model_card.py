"""A model card says what the stages measured, in a form that Hugging Face's own reader takes."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard

from facestudy.contracts.scores import Scores
from facestudy.errors import StudyError
from facestudy.models import checkpoints
from facestudy.models.metadata import WeightsMetadata
from facestudy.project import paths
from facestudy.project.files import read_json
from stages.model_card import model_card
from tests.inputs import write_params
from tests.study_maker import FACE, make_study

CARD = Path("data/exported/face/vgg16/README.md")


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Makes a study, in which the test then stands, with parameters as given."""

    def made(parameters: dict[str, Any] | None = None, origin: str = "a test", **choices: Any) -> Path:
        make_study(tmp_path, histograms=False, variants=["vgg16"], **choices)
        if parameters:
            write_params(tmp_path, parameters)
        for path in (paths.RAW / "index.csv", paths.split("face"), paths.split("emotion")):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(f"{path}\n", encoding="utf-8")
        weights = WeightsMetadata(arch="vgg16", origin=origin)
        checkpoints.save(tmp_path / paths.initial_weights("vgg16"), {}, weights)
        monkeypatch.chdir(tmp_path)
        return tmp_path

    return made


def table(text: str, heading: str) -> dict[str, list[str]]:
    """The rows of the first table under a heading, by their first cell."""
    part = re.split(r"^#+ ", text.partition(f"# {heading}\n")[2], flags=re.MULTILINE)[0]
    cells = [[cell.strip() for cell in row.strip("|").split(" | ")] for row in part.splitlines() if row.startswith("|")]
    return {row[0]: row[1:] for row in cells}


def test_its_front_matter_holds_the_scores_of_every_seed(study: Callable[..., Path]) -> None:
    study(seeds=(0, 1))
    model_card("face", "vgg16")
    data = ModelCard.load(CARD).data
    assert data.license == "mit" and data.pipeline_tag == "image-classification"
    assert data.model_name == "Face recognition: VGG16"
    found = {(each.dataset_args["seed"], each.metric_type): each.metric_value for each in data.eval_results}
    expected: dict[tuple[int, str], float] = {}
    for seed in (0, 1):
        scores = read_json(paths.model_metrics("face", "vgg16", seed) / "scores.json", Scores)
        expected |= {(seed, "accuracy"): scores.accuracy, (seed, "f1"): scores.macro_f1}
    assert found == expected
    assert {each.dataset_split for each in data.eval_results} == {"validation"}
    assert {"`0.onnx`", "`1_int8.onnx`"} <= set(table(CARD.read_text(encoding="utf-8"), "Face recognition: VGG16"))


def test_it_has_what_a_reader_must_know(study: Callable[..., Path]) -> None:
    study()
    model_card("face", "vgg16")
    text = CARD.read_text(encoding="utf-8")
    scores = read_json(paths.model_metrics("face", "vgg16", 0) / "scores.json", Scores)
    low, high = scores.accuracy_interval
    results = table(text, "Results")
    assert results["accuracy"] == [f"{100 * scores.accuracy:.1f} % ({100 * low:.1f} to {100 * high:.1f})"]
    by_class = table(text, "By class")
    assert all(by_class[label][1] == f"{scores.per_class[label].recall:.3f}" for label in FACE)
    poor = text.partition("### In poor light")[2]
    assert "| light: dim | 20 | 80.0 % (60.0 to 90.0) |" in poor and "| a mask over the mouth | 5 |" in poor
    assert table(text, "Training data")["target"] == ["172", "43", "4"]
    assert "Expected calibration error" in text and "`python -m stages.train face vgg16 0`" in text
    assert table(text, "How it was made")["lr"] == ["0.001"]
    assert len(re.findall(r"`[0-9a-f]{64}`", text)) == 2


def test_it_is_the_same_bytes_again(study: Callable[..., Path]) -> None:
    study()
    model_card("emotion", "vgg16")
    path = Path("data/exported/emotion/vgg16/README.md")
    first = path.read_bytes()
    model_card("emotion", "vgg16")
    assert path.read_bytes() == first and b"/tmp" not in first


@pytest.mark.parametrize(
    ("parameters", "identifier", "pictures", "weights"),
    [
        ({}, "mit", "drawn by this project's program", "pretrained here on faces drawn"),
        ({"variants.vgg16.weights": "random"}, "mit", "drawn by", "none\\: the training started from random weights"),
        ({"data.source": "folder"}, "unknown", "not stated\\: the source (folder) names none", "pretrained here"),
        ({"data.source": "git"}, "unknown", "not stated here; what the repository https", "pretrained here"),
        ({"weights.source": "file"}, "unknown", "drawn by", "not stated\\: a file of the user"),
        ({"weights.pretrain.source": "folder"}, "unknown", "drawn by", "of the photos among them not stated"),
    ],
)
def test_a_licence_is_what_the_source_says_and_never_guessed(
    study: Callable[..., Path], parameters: dict[str, str], identifier: str, pictures: str, weights: str
) -> None:
    study({"data.source": "sample", **parameters})
    model_card("face", "vgg16")
    card = ModelCard.load(CARD)
    licences = table(card.content, "Licence")
    assert card.data.license == identifier and licences["code"] == ["MIT"]
    assert pictures in licences["pictures"][0] and weights in licences["initial weights"][0]


def test_downloaded_weights_are_named_as_their_file_names_them(study: Callable[..., Path]) -> None:
    study({"data.source": "sample", "weights.source": "imagenet"}, origin="vgg16 from http://host/a-12345678.pth")
    model_card("face", "vgg16")
    card = ModelCard.load(CARD)
    named = table(card.content, "Licence")["initial weights"][0].replace("\\", "")
    assert card.data.license == "unknown" and named == "not stated: vgg16 from http://host/a-12345678.pth"


def test_labels_of_a_user_change_nothing_but_their_words(study: Callable[..., Path]) -> None:
    study(emotions=["<b>x", "[a](http://host/)", "sad: - no", "--- #"])
    model_card("emotion", "vgg16")
    card = ModelCard.load(Path("data/exported/emotion/vgg16/README.md"))
    assert card.data.license == "mit" and "\\<b\\>x" in card.content and "[a](" not in card.content


def test_a_task_without_labels_has_a_card_that_says_why(study: Callable[..., Path]) -> None:
    study(empty="face")
    model_card("face", "vgg16")
    card = ModelCard.load(CARD)
    assert card.data.eval_results is None and "There is no model: no picture has a label for face." in card.content


def test_a_missing_file_is_named(study: Callable[..., Path]) -> None:
    study()
    (paths.model_metrics("face", "vgg16", 0) / "corruptions.csv").unlink()
    with pytest.raises(StudyError, match=r"corruptions\.csv is not there; `dvc repro`"):
        model_card("face", "vgg16")
    assert not CARD.exists()
