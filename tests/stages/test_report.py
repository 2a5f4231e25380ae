import json
import re
from collections.abc import Callable
from contextlib import chdir
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from facestudy.contracts.corruptions import COMPARED, OCCLUSIONS
from facestudy.contracts.scores import SplitScores
from facestudy.errors import StudyError
from facestudy.evaluation.robustness import outcome
from facestudy.project import paths
from stages.report import PAGE_LIMIT, report
from tests.study_maker import EMOTION, KINDS, TITLES, make_differences, make_study, stand_in_figures, write

MARKDOWN, PAGE = Path("plots/report.md"), Path("plots/report.html")
MODELS = [(task, variant) for task in ("face", "emotion") for variant in TITLES]
LINKS = {f"../data/exported/{task}/{variant}/README.md" for task, variant in MODELS}
LINKS |= {f"mistakes/{task}/{variant}_0.html" for task, variant in MODELS}
HOSTILE = ["<b>|x", "[a](http://host/)", "`tick`", "happy", "<script>alert(1)</script>"]


class Reader(HTMLParser):
    """Every tag of a page with its attributes, the rows of its tables, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        self.text += data
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Makes a study, in which the test then stands; its figures are stand-ins of the given size in bytes."""

    def made(picture_size: int = 100, **changes: Any) -> Path:
        make_study(tmp_path, histograms=False, **changes)
        stand_in_figures(tmp_path, picture_size)
        monkeypatch.chdir(tmp_path)
        return tmp_path

    return made


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with its report; not to be changed."""
    folder = tmp_path_factory.mktemp("study")
    make_study(folder, histograms=False)
    stand_in_figures(folder)
    with chdir(folder):
        report()
    return folder


@pytest.fixture
def inside(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test stands in the study that has its report."""
    monkeypatch.chdir(written)


def scores_path(task: str, variant: str) -> Path:
    return Path("metrics") / task / variant / "0" / "scores.json"


def change(task: str, variant: str, **values: Any) -> None:
    path = scores_path(task, variant)
    write(path, json.loads(path.read_text()) | values)


def section(text: str, start: str, end: str) -> str:
    found = re.search(rf"^{re.escape(start)}$.*?(?=^{re.escape(end)}|\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, start
    return found[0]


def conclusions(variant: str, task: str = "face") -> str:
    text = MARKDOWN.read_text(encoding="utf-8")
    part = text[text.index(f"### Summary of {'Face' if task == 'face' else 'Emotion'} recognition\n") :]
    return section(part, f"#### {TITLES[variant]}: convergence, strengths, weaknesses", "#")


@pytest.mark.usefixtures("inside")
def test_both_files_hold_log_tables_and_pictures_of_every_model() -> None:
    markdown, page = MARKDOWN.read_text(encoding="utf-8"), Reader(PAGE.read_text(encoding="utf-8"))
    for task, classes in (("face", ["other", "target"]), ("emotion", EMOTION)):
        for variant in TITLES:
            folder = Path("metrics") / task / variant / "0"
            log = (folder / "epochs.log").read_text(encoding="utf-8").strip()
            assert log in markdown
            assert log in page.text
            scores = json.loads((folder / "scores.json").read_text())
            for label in classes:
                values = scores["per_class"][label]
                low, high = values["f1_interval"]
                f1 = f"{values['f1']:.3f} ({low:.3f} to {high:.3f})"
                cells = [label, *(f"{values[key]:.3f}" for key in ("precision", "recall")), f1, str(values["support"])]
                assert "| " + " | ".join(cells) + " |" in markdown
                assert cells in page.rows
            last = pd.read_csv(folder / "history.csv").iloc[-1]
            row = [f"{last.epoch:.0f}", f"{last.train_loss:.4f}", f"{100 * last.train_accuracy:.1f} %"]
            assert any(cells[:3] == row for cells in page.rows)
            for kind in KINDS:
                assert markdown.count(f"(figures/{task}/{variant}_0/{kind}.png)") == 1
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(images) == 34
    assert all(str(image["src"]).startswith("data:image/png;base64,") for image in images)


@pytest.mark.usefixtures("inside")
def test_the_order_is_that_of_the_original_study() -> None:
    headings = re.findall(r"^##+ (.+)$", MARKDOWN.read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[:3] == ["Results", "Contents", "Overview"]
    expected = ["Overview", "Part 1: Face recognition", "Epoch log", "Run summary", "Run history", "Confusion matrices"]
    expected += ["Gradient distributions", "Parameter distributions", "Classification report", "Time and memory"]
    expected += ["Summary of Face recognition", "Part 2: Emotion recognition", "Summary of Emotion recognition"]
    expected += ["Beside the original study"]
    assert [headings.index(heading) for heading in expected] == sorted(headings.index(heading) for heading in expected)


@pytest.mark.usefixtures("inside")
def test_the_page_loads_nothing_and_its_links_lead_somewhere() -> None:
    page = Reader(PAGE.read_text(encoding="utf-8"))
    assert {tag for tag, _ in page.tags}.isdisjoint({"link", "iframe", "object", "form"})
    assert [attributes for tag, attributes in page.tags if tag == "script"] == [{}]  # its own, known by a hash
    anchors = {f"#{attributes['id']}" for _, attributes in page.tags if "id" in attributes}
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    assert len(links) > 10
    assert set(links) - anchors == LINKS


def test_the_same_numbers_give_the_same_bytes(written: Path, study: Callable[..., Path]) -> None:
    study()
    report()
    for name in (MARKDOWN, PAGE):
        assert name.read_bytes() == (written / name).read_bytes()


def answer(task: str) -> str:
    """The table and the sentences of a task on the first screen, without its figure."""
    text = section(MARKDOWN.read_text(encoding="utf-8"), "## Results", "## Contents").partition("![")[0]
    return next(part for part in text.split("| Face")[-1].split("| Emotion") if ("92 %" in part) == (task == "emotion"))


def test_the_first_screen_says_who_is_ahead_and_what_to_distrust(study: Callable[..., Path]) -> None:
    study()
    change("face", "vgg16", accuracy=0.995, accuracy_interval=[0.97, 0.999], macro_f1=0.9871)
    report()
    text = answer("face")
    title = TITLES["vgg16"]
    assert f"| {title} | 99.5 % (97.0 to 99.9) | 0.987 | 97.7 % |" in text
    assert f"{title} is ahead, with 99.5 % (97.0 to 99.9)." in text
    assert "Caveats: the pictures are drawn (results on photos differ); " in text
    assert "| 90 % |" in answer("emotion") and "is ahead" in answer("emotion")
    path = paths.differences("face")
    pairs = json.loads(path.read_text())
    for p, sentence in ((0.5, "Chance could explain this."), (0.001, "is more than chance explains.")):
        for pair in pairs["by_seed"]["0"]:
            pair["p"] = p
        write(path, pairs)
        report()
        assert sentence in answer("face")
    leaks = paths.task_metrics("face") / "leaks.json"
    write(leaks, json.loads(leaks.read_text()) | {"exact_copies": 0, "near_copies": 2, "people": 1})
    for variant in TITLES:
        change("face", variant, accuracy=0.9)
    report()
    titles = list(TITLES.values())
    assert f"{', '.join(titles[:-1])} and {titles[-1]} have the same accuracy, 90.0 %" in answer("face")
    assert "; 2 pairs of copies on both sides of the split; 1 person on both sides of the split; one of" in answer(
        "face"
    )


def test_conclusions_turn_with_the_scores(study: Callable[..., Path]) -> None:
    study()
    report()
    assert "Highest validation accuracy" in conclusions("resnet18_pretrained")
    assert "Highest validation accuracy" not in conclusions("vgg16")
    assert "Overfits" in conclusions("vgg16")
    change("face", "vgg16", accuracy=0.995, generalization_gap=0.0, false_positives=0, false_negatives=0)
    change("face", "resnet18_pretrained", accuracy=0.80, false_negatives=30, false_positives=2)
    report()
    assert "Highest validation accuracy of the variants, 99.5 %" in conclusions("vgg16")
    assert "Generalises well" in conclusions("vgg16")
    assert "Overfits" not in conclusions("vgg16")
    pretrained = conclusions("resnet18_pretrained")
    assert "Lowest validation accuracy of the variants, 80.0 %" in pretrained
    assert "No better than always naming the largest class, which gives 80.1 %" in pretrained
    assert "Misses target (69.8 %) more often than it names it wrongly (1.2 %)" in pretrained


def test_convergence_turns_with_the_history(study: Callable[..., Path]) -> None:
    study()
    path = Path("metrics/face/vgg16/0/history.csv")
    history = pd.read_csv(path)
    loss = np.array([0.5, 0.9, 0.5, 0.4, 0.3, 0.2, 0.2, 0.3, 0.3, 0.4])
    history.assign(val_accuracy=0.8009, val_loss=loss).to_csv(path, index=False)
    change("face", "vgg16", epochs_to={"0.90": None, "0.95": None, "final": 1})
    report()
    text = conclusions("vgg16")
    assert "it was about the share of the largest class, 80.1 %" in text
    assert "90 % was not reached in 10 epochs" in text
    assert "unstable: validation loss rose from 0.50 to 0.90 in epoch 2" in text
    assert "lowest in epoch 6 (0.200) and ended at 0.400" in text
    assert "settled, within 0.0 points" in text
    assert "Did not reach 90 %" in text


def test_a_difference_is_distinguished_from_chance(study: Callable[..., Path]) -> None:
    study()
    for variant, errors in (("resnet18_pretrained", 0), ("vgg16", 4), ("resnet18_scratch", 40)):
        path = Path("metrics/face") / variant / "0" / "predictions.csv"
        table = pd.read_csv(path)
        table["prediction"] = ["target" if index < errors else truth for index, truth in enumerate(table["truth"])]
        table.to_csv(path, index=False)
        change("face", variant, accuracy=1 - errors / 216)
    make_differences(Path(), "face", [0], TITLES)
    report()
    text = section(MARKDOWN.read_text(encoding="utf-8"), "#### Side by side", "####")
    assert re.search(
        r"above VGG16: right on 4 pictures .*? wrong on 0 .*? which chance could explain .*? p = 0\.12", text
    )
    assert "McNemar's exact test, p = 0.12, corrected for the 3 pairs of variants of this task and seed" in text
    assert "p is corrected for the 3 pairs of variants of this task (Holm), not for the tests of other tasks." in text
    assert re.search(r"above ResNet18 from scratch: right on 40 pictures .*? more than chance explains", text)
    assert "| ResNet18 pretrained | VGG16 | 1.9 points | 4 | 0 | 0.12 | not shown |" in text
    assert "(No difference in accuracy from VGG16 is shown.)" in conclusions("resnet18_pretrained")
    assert "(No difference" not in conclusions("resnet18_scratch")


def test_what_pretraining_shares_with_the_study_is_said(study: Callable[..., Path]) -> None:
    study(variants=["vgg16"])
    report()
    assert "Left out of the pretraining" not in MARKDOWN.read_text(encoding="utf-8")
    counts = {"pictures": 40, "people": 9, "exact_copies": 1, "near_copies": 3, "shared_people": 2}
    write(Path("metrics/pretraining.json"), {**counts, "pictures_of_them": 5})
    report()
    text = MARKDOWN.read_text(encoding="utf-8")
    assert "because the study has them too: 1 exact copy and 3 near copies." in text
    assert "2 people of the pretraining (on 5 pictures) have the name of a person of the study" in text


def test_the_report_says_that_people_were_taken_together(study: Callable[..., Path]) -> None:
    study()
    for path in Path("metrics/face").glob("*/0/predictions.csv"):
        table = pd.read_csv(path)
        table.assign(person_group=table.index // 5).to_csv(path, index=False)
    make_differences(Path(), "face", [0], TITLES)
    report()
    text = section(MARKDOWN.read_text(encoding="utf-8"), "#### Side by side", "####")
    assert "(exact sign-flip test by person, p = " in text and "McNemar" not in text
    assert "Exact sign-flip test, all pictures of a person together, on the same pictures; p is corrected" in text


def test_a_model_that_accepts_nobody_holds_up_worst_where_the_face_is_covered(study: Callable[..., Path]) -> None:
    study()
    truth = np.repeat([0, 1], [173, 43])
    for variant, incorrect in (("vgg16", 0), ("resnet18_scratch", 30), ("resnet18_pretrained", 60)):
        predicted = truth.copy()
        predicted[:incorrect] = 1
        if variant == "vgg16":
            predicted[:] = 0  # 80.1 % are right
        found = outcome(truth, predicted, 1, np.arange(216))
        rows = [{"kind": kind, "strength": 5, **found} for kind in (*OCCLUSIONS, "low_light")]
        pd.DataFrame(rows).to_csv(Path("metrics/face") / variant / "0" / "corruptions.csv", index=False)
    report()
    text = section(MARKDOWN.read_text(encoding="utf-8"), "#### Side by side", "####")
    reached = "ResNet18 from scratch 91.3 %, ResNet18 pretrained 82.7 % and VGG16 50.0 % (guessing: 50.0 %)"
    assert f"Where something covers the face (strength 5 of 5), balanced accuracy is {reached}" in text
    assert f"Where light is low (strength 5 of 5), balanced accuracy is {reached}" in text
    assert "Most harmed by a grey block: at strength 5 of 5 balanced accuracy is 50.0 %" in conclusions("vgg16")
    assert "Most harmed" not in conclusions("resnet18_scratch")


def test_a_model_that_guesses_is_said_to_have_learned_nothing(study: Callable[..., Path]) -> None:
    study()
    change("face", "vgg16", balanced_accuracy=0.52, balanced_accuracy_interval=[0.45, 0.59], generalization_gap=0.001)
    report()
    guessed = "balanced accuracy 52.0 % (45.0 to 59.0) is not shown to be above what guessing gives, 50.0 %"
    assert f"Nothing was shown to be learned: {guessed}" in conclusions("vgg16")
    assert "Loses at most" not in conclusions("vgg16") and "Generalises well" not in conclusions("vgg16")
    text = section(MARKDOWN.read_text(encoding="utf-8"), "#### Side by side", "####")
    assert "Nothing was shown to be learned by VGG16." in text
    assert "Nothing was shown to be learned by VGG16. Caveats: " in answer("face")
    change("face", "vgg16", balanced_accuracy_interval=[0.51, 0.59])
    report()
    assert "Nothing was shown" not in MARKDOWN.read_text(encoding="utf-8")
    assert "Loses at most" in conclusions("vgg16") and "Generalises well" in conclusions("vgg16")


def test_who_names_the_largest_class_is_said_to_do_so_on_the_first_screen(study: Callable[..., Path]) -> None:
    study()
    report()
    (share,) = re.findall(r"\| \*always the largest class\* \| ([\d.]+) % \|", answer("face"))
    assert "No better than always naming" not in answer("face")
    change("face", "vgg16", accuracy=float(share) / 100)
    report()
    assert "No better than always naming the largest class: VGG16. Caveats: " in answer("face")


def test_conclusions_turn_with_corrupted_pictures_and_calibration(study: Callable[..., Path]) -> None:
    study()
    path = Path("metrics/face/vgg16/0/corruptions.csv")
    table = pd.read_csv(path)
    harmed = (table["kind"] == "mask") & (table["strength"] == 5)
    table.loc[harmed, COMPARED[2:]] = 0.4, 0.33, 0.47
    table.loc[~harmed, "balanced_accuracy"] = 0.925
    table.to_csv(path, index=False)
    scores = json.loads(scores_path("face", "vgg16").read_text())
    applied = {"fitted_temperature": 2.5, "temperature": 2.5, "not_applied": None}
    found = scores["calibration"] | applied | {"expected_calibration_error": 0.2}
    of_group = {"pictures": 20, "accuracy": 0.5, "accuracy_interval": [0.3, 0.7], "others_accuracy": 0.95}
    groups = {
        "dim": of_group | {"p": 0.0012},
        "harsh": of_group | {"p": 0.2},
        "normal": of_group | {"accuracy": 1, "p": 0},
    }
    change("face", "vgg16", calibration=found, by_group={"light": groups}, balanced_accuracy=0.93)
    report()
    text = conclusions("vgg16")
    assert "Most harmed by a mask over the mouth: at strength 5 of 5 balanced accuracy is 40.0 % (33.0 to 47.0)" in text
    assert "Loses at most 3.0 points of balanced accuracy to low light at strength 5" in text
    misled = "Poorly calibrated: overconfident: expected calibration error 20.0 % (fitted temperature 2.50)."
    assert f"{misled} A temperature is applied." in text
    assert "The exported model divides its logits by the temperature." in MARKDOWN.read_text(encoding="utf-8")
    worse = "50.0 % (30.0 to 70.0) of 20 pictures, against 95.0 % elsewhere (Fisher's exact test, p = 0.0012"
    assert f"Worse where light is dim: {worse}, corrected for the 3 groups of this model)." in text
    assert text.count("Worse where") == 1
    assert "| light: harsh | 20 | 50.0 % (30.0 to 70.0) | 95.0 % | 0.2 |" in MARKDOWN.read_text(encoding="utf-8")
    table.assign(balanced_accuracy=0.93).to_csv(path, index=False)
    harmful = {"expected_calibration_error": 0.01, "temperature": 1.0, "not_applied": "it does not lower the log loss"}
    change("face", "vgg16", calibration=found | harmful, by_group={})
    report()
    text = conclusions("vgg16")
    assert "No temperature is applied: it does not lower the log loss." in MARKDOWN.read_text(encoding="utf-8")
    assert "Most harmed" not in text and "Worse where" not in text and "oorly calibrated" not in text
    assert "Well calibrated: expected calibration error 1.0 %" in text


def test_pictures_without_a_found_face_are_counted_and_scored_apart(study: Callable[..., Path]) -> None:
    study()
    few = {"pictures": 4, "accuracy": 0.25, "accuracy_interval": [0.05, 0.7], "others_accuracy": 0.95, "p": 0.004}
    change("face", "vgg16", by_group={"faces_found": {"none": few}})
    report()
    text = MARKDOWN.read_text(encoding="utf-8")
    assert "No face was found on 8 pictures." in text  # four of each class
    assert "| faces found: none | 4 (few) | 25.0 % (5.0 to 70.0) | 95.0 % | 0.004 |" in text
    assert "Worse where faces found is none: 25.0 % (5.0 to 70.0) of 4 pictures" in conclusions("vgg16")


def test_epochs_whose_gradients_were_all_infinite_have_no_norm(study: Callable[..., Path]) -> None:
    """As at the start of a training in 16-mixed: history.csv then has nothing there."""
    study()
    path = Path("metrics/face/vgg16/0/history.csv")
    table = pd.read_csv(path)
    table.loc[0, "gradient_norm"] = np.nan
    table.to_csv(path, index=False)
    report()
    text = MARKDOWN.read_text(encoding="utf-8")
    told = text.split("**Convergence.**")[1].splitlines()[0]
    assert text.count(" infinite |") == 1 and "Gradient norms of the first 3 epochs" in told and "nan" not in told
    table.assign(gradient_norm=np.nan).to_csv(path, index=False)
    report()
    assert "Gradient norms" not in MARKDOWN.read_text(encoding="utf-8").split("**Convergence.**")[1].splitlines()[0]


def test_the_classes_most_confused_are_named(study: Callable[..., Path]) -> None:
    study()
    matrix = (np.eye(5, dtype=int) * 40).tolist()
    angry, sad = EMOTION.index("angry"), EMOTION.index("sad")
    matrix[sad][sad], matrix[sad][angry] = 31, 9
    change("emotion", "vgg16", confusion_matrix=matrix)
    report()
    assert "angry and sad are confused with each other in 9 of 9 errors (100.0 %)" in conclusions("vgg16", "emotion")
    assert "sad and angry confused with each other 9 times in 80" in MARKDOWN.read_text(encoding="utf-8")


def test_an_empty_task_has_its_reason_and_the_other_its_part(study: Callable[..., Path]) -> None:
    study(empty="emotion")
    report()
    text = MARKDOWN.read_text(encoding="utf-8")
    assert "This part is empty: no picture has a label for emotion." in text
    assert "### Summary of Face recognition" in text
    assert "### Summary of Emotion recognition" not in text
    assert "| emotion, `vgg16` | validation accuracy | 92 % at epoch 10 | no picture has a label for emotion |" in text


def test_hostile_labels_stay_labels(study: Callable[..., Path]) -> None:
    study(emotions=HOSTILE)
    report()
    page = Reader(PAGE.read_text(encoding="utf-8"))
    tags = {tag for tag, _ in page.tags}
    assert "b" not in tags and [tag for tag, _ in page.tags].count("script") == 1
    links = {str(attributes["href"]) for tag, attributes in page.tags if tag == "a"}
    assert {link for link in links if not link.startswith("#")} == LINKS
    for label in HOSTILE:
        assert any(cells[0] == label and len(cells) == 5 for cells in page.rows), label
    assert {len(cells) for cells in page.rows if cells[0] in HOSTILE} == {5, 7}


def test_a_log_with_fences_stays_a_log(study: Callable[..., Path]) -> None:
    study()
    log = "```\n<img src=x onerror=alert(1)>\n# not a heading\n````\n"
    Path("metrics/face/vgg16/0/epochs.log").write_text(log)
    report()
    page = Reader(PAGE.read_text(encoding="utf-8"))
    assert log.strip() in page.text
    assert all("onerror" not in attributes for _, attributes in page.tags)


def test_several_seeds_are_listed_with_mean_and_spread(study: Callable[..., Path]) -> None:
    study(seeds=(0, 1))
    change("face", "vgg16", accuracy=0.90)
    path = Path("metrics/face/vgg16/1/scores.json")
    write(path, json.loads(path.read_text()) | {"accuracy": 0.94})
    report()
    text = MARKDOWN.read_text(encoding="utf-8")
    assert "### VGG16, seed 0" in text
    assert "### VGG16, seed 1" in text
    assert "| VGG16 | 99.5 ± 0.0 | 92.0 ± 2.8 |" in text
    assert "| 99.5 / 97.7 % | 99.5 ± 0.0 % / 92.0 ± 2.8 % |" in text
    assert "Seed 1: Validation accuracy went from" in conclusions("vgg16")
    text = section(text, "#### Side by side", "####")
    assert re.search(r"in the mean over 2 seeds \(paired differences .*?paired t test", text)
    assert "| ahead | behind | paired difference, mean |" in text


def test_folds_are_said_to_be_folds(study: Callable[..., Path]) -> None:
    study(seeds=(0, 1))
    path = Path("metrics/face/split.json")
    sizes = {"other": 100, "target": 20}
    write(path, json.loads(path.read_text()) | {"folds": 2, "counts": {"fold_0": sizes, "fold_1": sizes}})
    report()
    text = MARKDOWN.read_text(encoding="utf-8")
    assert "Cross-validation over 2 folds" in text and r"| Face recognition | fold\_0 | fold\_1 |" in text
    text = section(text, "#### Side by side", "####")
    assert "in the mean over 2 folds" in text and "over the folds (corrected" in text


def test_test_pictures_have_rows_of_their_own_and_are_not_among_the_validation_errors(
    study: Callable[..., Path],
) -> None:
    study()
    path = Path("metrics/face/vgg16/0/predictions.csv")
    table = pd.read_csv(path)
    table["prediction"] = table["truth"]
    extra = table.iloc[[0]].assign(file="feedfeedfeedfeed.png", split="test", prediction="target")
    pd.concat([table, extra]).to_csv(path, index=False)
    scores = json.loads(scores_path("face", "vgg16").read_text())
    test = {name: scores[name] for name in SplitScores.model_fields}
    chosen = {"accuracy": 0.5, "accuracy_interval": [0.4, 0.6], "macro_f1": 0.4, "macro_f1_interval": [0.3, 0.55]}
    chosen |= {"balanced_accuracy": 0.6, "balanced_accuracy_interval": [0.5, 0.7], "roc_auc_interval": None}
    change("face", "vgg16", test=test | chosen)
    report()
    text = MARKDOWN.read_text(encoding="utf-8")
    assert text.count("| test accuracy | 50.0 % (40.0 to 60.0) |") == 1
    assert "| test balanced accuracy | 60.0 % (50.0 to 70.0) |" in text
    assert "| test macro F1 | 0.4000 (0.3000 to 0.5500) |" in text
    assert re.search(r"\| test ROC AUC \| 0\.\d{4} \(no interval: too few errors, or none right\) \|", text)
    assert "feedfeedfeedfeed" not in text


def test_the_best_epoch_is_marked_as_optimistic(study: Callable[..., Path]) -> None:
    study(rule="best")
    report()
    text = MARKDOWN.read_text(encoding="utf-8")
    assert text.count("Optimistic: the epoch was chosen") == 8
    assert len(re.findall(r"\| validation accuracy \| [\d.]+ % \(optimistic\) \|", text)) == 6


@pytest.mark.usefixtures("inside")
def test_the_last_epoch_is_not_marked() -> None:
    assert "ptimistic" not in MARKDOWN.read_text(encoding="utf-8")


def test_timing_is_shown_or_said_to_be_missing(study: Callable[..., Path]) -> None:
    study()
    report()
    text = MARKDOWN.read_text(encoding="utf-8")
    assert "| seconds of training | 41.5 |" in text
    for timing in Path("timings").rglob("train.json"):
        timing.unlink()
    report()
    text = MARKDOWN.read_text(encoding="utf-8")
    assert text.count("| seconds of training | not measured |") == 6


@pytest.mark.slow
def test_a_large_study_keeps_the_page_small_and_the_first_seeds_in_it(study: Callable[..., Path]) -> None:
    study(picture_size=60_000, seeds=(0, 1, 2))
    report()
    html = PAGE.read_text(encoding="utf-8")
    assert 4_000_000 < len(html.encode()) <= PAGE_LIMIT == 5_000_000
    shown = [attributes["alt"] for tag, attributes in Reader(html).tags if tag == "img"]
    assert sum("seed 0" in str(alt) for alt in shown) == 30
    assert "figures/emotion/resnet18_pretrained_2/parameters.png, left out here" in html


@pytest.mark.parametrize(
    "path",
    [
        "metrics/download.json",
        "metrics/face/split.json",
        "metrics/face/vgg16/0/epochs.log",
        "metrics/face/vgg16/0/predictions.csv",
        "metrics/face/vgg16/0/corruptions.csv",
        "metrics/differences/face.json",
        "plots/comparison/face.png",
        "plots/figures/face/vgg16_0/curves.png",
        "data/study.json",
    ],
)
def test_a_missing_file_is_named(study: Callable[..., Path], path: str) -> None:
    study()
    Path(path).unlink()
    with pytest.raises(StudyError, match=re.escape(path)):
        report()
    assert not PAGE.exists()
