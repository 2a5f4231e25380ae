import json
import os
from pathlib import Path
from typing import Any

import pytest

from facestudy.errors import StudyError
from facestudy.project import parameters, paths
from stages.check import check
from tests.inputs import ROOT, write_params


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for folder in ("data/photos", "data/pretrain-photos"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


def refused(study: Path, changes: dict[str, Any]) -> str:
    write_params(study, changes)
    with pytest.raises(StudyError) as caught:
        check()
    assert not paths.CHECKED.exists()
    assert not paths.STUDY.exists()
    return str(caught.value)


def test_the_real_parameters_pass_and_the_bytes_stay_the_same(study: Path) -> None:
    write_params(study, {})
    check()
    before = paths.CHECKED.read_bytes()
    write_params(study, {"seed": 7, "variants.vgg16.lr": 1e-5})
    check()
    assert paths.CHECKED.read_bytes() == before


def test_the_study_holds_names_and_titles_in_their_order(study: Path) -> None:
    # The real file, whose order is none of the alphabet; `write_params` would sort it.
    paths.PARAMS.write_bytes((ROOT / "params.yaml").read_bytes())
    check()
    names = json.loads(paths.STUDY.read_text(encoding="utf-8"))
    assert list(names["tasks"].items()) == [
        ("face", {"title": "Face recognition", "positive": "target"}),
        ("emotion", {"title": "Emotion recognition", "positive": None}),
    ]
    titles = {name: variant.title for name, variant in parameters.load().variants.items()}
    assert list(names["variants"].items()) == list(titles.items())
    assert set(names) == {"tasks", "variants", "seeds"}


def test_the_study_changes_with_a_name_and_not_with_a_recipe(study: Path) -> None:
    write_params(study, {"seeds": [3, 0]})
    check()
    before = paths.STUDY.read_bytes()
    write_params(study, {"seeds": [3, 0], "variants.vgg16.lr": 1e-5, "variants.vgg16.epochs.face": 1})
    check()
    assert paths.STUDY.read_bytes() == before
    assert json.loads(before)["seeds"] == [3, 0]
    write_params(study, {"seeds": [3, 0], "variants.vgg16.title": "VGG"})
    check()
    assert json.loads(paths.STUDY.read_text(encoding="utf-8"))["variants"]["vgg16"] == "VGG"


def test_small_numbers_are_read_as_dvc_writes_them(study: Path) -> None:
    write_params(study, {})
    text = paths.PARAMS.read_text(encoding="utf-8")
    assert "lr: 0.0005" in text
    paths.PARAMS.write_text(text.replace("lr: 0.0005", "lr: 1e-05"), encoding="utf-8")
    assert parameters.load().variants["vgg16"].lr == 1e-5


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"typo": 1}, "typo: no such key; allowed are seed, seeds, data,"),
        ({"split.shuffle": True}, "split.shuffle: no such key; allowed are validation, test, folds, group"),
        ({"seed": "DELETE"}, "seed: is missing"),
        ({"seed": -1}, "seed: -1 is refused; input should be greater than or equal to 0"),
        ({"seed": True}, "seed: True is refused"),
        ({"seeds": []}, "seeds: [] is refused; list should have at least 1 item"),
        ({"seeds": 0}, "seeds: 0 is refused; input should be a valid list"),
        ({"seeds": [1, 1]}, "holds a seed twice"),
        (
            {"data.source": "web"},
            "data.source: 'web' is refused; input should be 'sample', 'folder', 'archive', 'git' or 'drive'",
        ),
        ({"data.folder.person_pattern": "(a"}, "data.folder.person_pattern: '(a' is no regular expression"),
        ({"data.folder.person_pattern": "a"}, "'a' has no group"),
        ({"data.archive.sha256": "abc"}, "data.archive.sha256: 'abc' is refused; string should match pattern"),
        ({"split.validation": 0.5, "split.test": 0.5}, "validation and test together must be below 1"),
        ({"split.folds": 1}, "split.folds: one fold leaves nothing to train on"),
        ({"split.folds": 3}, "seeds: [0] must be 3 for split.folds: 3"),
        ({"split.folds": 2, "seeds": [0, 2]}, "as [0, 1]"),
        ({"split.folds": 10**18}, "seeds: [0] must be 1000000000000000000 for split.folds"),
        ({"split.folds": 10**40}, "must be 10000000000000000000000000000000000000000 for split.folds"),
        ({"tasks.face.positive": 3}, """tasks.face.positive: 3 is no text; put it in quotes, as "3" here or -S """),
        ({"tasks.face.positive": ""}, "tasks.face.positive: '' is empty; name the label of the target person, or null"),
        ({"tasks.face.positive": "\u200b "}, "tasks.face.positive: '\\u200b ' is empty; name the label"),
        ({"data.folder.path": True}, """or -S 'data.folder.path="True"'"""),
        ({"data.folder.path": "~/photos"}, "no folder ~/photos; write your home folder out in place of ~"),
        ({"variants.vgg16.epochs.emotoin": 3}, "variants.vgg16.epochs: must name each task once"),
        ({"variants.vgg16.lr": float("nan")}, "variants.vgg16.lr: nan is refused"),
        ({"variants.vgg16.weight_decay": float("inf")}, "variants.vgg16.weight_decay: inf is refused"),
        ({"weights.pretrain.weight_decay": float("inf")}, "weights.pretrain.weight_decay: inf is refused"),
        ({"variants.vgg16.arch": "vgg19"}, "variants.vgg16.arch: 'vgg19' is not under weights.architectures"),
        ({"variants.vgg16.epochs.emotion": "DELETE"}, "variants.vgg16.epochs: must name each task once"),
        ({"tasks.face.positive": " Other"}, "tasks.face.positive: 'other' is the name of all labels but"),
        ({"data.folder.columns.smile": "x"}, "data.folder.columns.smile: no such key; allowed are file, person"),
        ({"data.folder.path": "nowhere"}, "data.folder.path: there is no folder nowhere"),
        ({"weights.pretrain.path": "nowhere"}, "weights.pretrain.path: there is no folder nowhere"),
        ({"data.source": "archive", "data.archive.location": "a.zip"}, "data.archive.location: there is no file a.zip"),
        ({"data.source": "archive"}, "data.archive.location: is null; set it to a URL or a path"),
        ({"preprocess.detector_file.path": "y.onnx"}, "preprocess.detector_file.path: there is no file y.onnx"),
        ({"preprocess.detector": "yunet"}, "preprocess.detector_file.path: is null"),
        ({"weights.source": "file"}, "weights.architectures.vgg16.file.path: is null"),
        (
            {"weights.source": "file", "weights.architectures.vgg16.file.path": "w"},
            "weights.architectures.vgg16.file.path: there is no file w",
        ),
    ],
)
def test_a_wrong_value_is_refused_with_its_key_and_what_is_allowed(
    study: Path, changes: dict[str, Any], expected: str
) -> None:
    assert expected in refused(study, changes)


ADDRESSES = ["data.archive.location", "data.git.url", "data.drive.url", "weights.architectures.resnet18.imagenet"]


@pytest.mark.parametrize("login", ["user:secret", "secret", ":secret"])
@pytest.mark.parametrize("key", ADDRESSES)
def test_an_address_with_a_secret_is_refused_without_showing_it(study: Path, key: str, login: str) -> None:
    message = refused(study, {key: f"https://{login}@host.example/net-12345678.pth"})
    assert f"{key}: holds a user or password" in message and "secret" not in message


@pytest.mark.parametrize("address", ["ssh://git@host.example/a.git", "git@host.example:a.git", "https://host/@a:b@c/d"])
def test_an_address_without_a_secret_is_taken(study: Path, address: str) -> None:
    write_params(study, dict.fromkeys(ADDRESSES, address))
    check()


@pytest.mark.parametrize(("task", "kind"), [("pretrain", "folder"), ("exports", "folder"), ("label", "column")])
def test_a_task_with_a_name_that_is_in_use_is_refused(study: Path, task: str, kind: str) -> None:
    write_params(study, {})
    changes: dict[str, Any] = {f"variants.{name}.epochs.{task}": 1 for name in parameters.load().variants}
    message = refused(study, {f"tasks.{task}": {"title": "x", "positive": None}, **changes})
    assert f"tasks.{task}: {task!r} is the name of a {kind}" in message


@pytest.mark.parametrize(
    "path",
    ["data/raw/images", "data/prepared", "data", ".", "metrics", "plots/../data/weights", "data/initial_weights/x"],
)
def test_photos_among_the_outputs_are_refused(study: Path, path: str) -> None:
    (study / "plots").mkdir()
    (study / path).mkdir(parents=True, exist_ok=True)
    message = refused(study, {"data.folder.path": path})
    assert f"data.folder.path: {path} overlaps" in message


@pytest.mark.parametrize("folder", ["data/photos", "data/pretrain-photos"])
def test_what_dvc_would_hang_at_or_look_past_is_refused_before_it_looks(study: Path, folder: str) -> None:
    os.mkfifo(study / folder / "pipe")
    (study / folder / "\udcfc.jpg").write_bytes(b"")
    (study / folder / "images").symlink_to(study)
    message = refused(study, {})
    for part in (f"{folder}/pipe: no file", f"{folder}/\ufffd.jpg: a name", f"{folder}/images: a link to a folder"):
        assert part in message
    assert "data.folder.path: " in message or "weights.pretrain.path: " in message


@pytest.mark.parametrize("inside", [True, False])
def test_folders_into_which_dvc_does_not_look_hold_no_obstacle(study: Path, inside: bool) -> None:
    """It leaves out these three within the repository alone."""
    photos = study / "data" / "photos" if inside else study.parent / f"{study.name}-photos"
    for name in (".git", ".hg", ".dvc"):
        (photos / "deep" / name).mkdir(parents=True)
        os.mkfifo(photos / "deep" / name / "pipe")
    changes = {"data.folder.path": str(photos)}
    if inside:
        write_params(study, changes)
        check()
    else:
        assert "deep/.git/pipe, " in refused(study, changes)


OWN_FILES: dict[str, dict[str, Any]] = {
    "data.archive.location": {"data.source": "archive"},
    "preprocess.detector_file.path": {"preprocess.detector": "yunet"},
    "weights.architectures.resnet18.file.path": {"weights.source": "file"},
}
IN_OUTPUTS = ["data/raw/x", "data/weights/resnet18.safetensors", "data/prepared/face/x", "plots/x", "data/study.json"]


@pytest.mark.parametrize("path", IN_OUTPUTS)
@pytest.mark.parametrize("key", OWN_FILES)
def test_a_file_among_the_outputs_is_refused_before_dvc_deletes_it(study: Path, key: str, path: str) -> None:
    file = study / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"mine")
    changes = {**OWN_FILES[key], key: path}
    write_params(study, changes)
    with pytest.raises(StudyError, match=f"{key}: {path} is in .*move the file elsewhere"):
        check()
    (study / "mine").symlink_to(file)
    write_params(study, {**changes, key: "mine"})
    with pytest.raises(StudyError, match=f"{key}: mine is in "):
        check()
    (study / "mine").unlink()
    (study / "mine").write_bytes(b"mine")
    write_params(study, {**changes, "weights.architectures.vgg16.file.path": "mine", key: "mine"})
    check()


@pytest.mark.parametrize("task", ["face", "emotion"])
def test_a_built_in_task_can_be_taken_out_by_its_name_alone(study: Path, task: str) -> None:
    write_params(study, {f"tasks.{task}": "DELETE"})
    check()
    assert list(json.loads(paths.STUDY.read_text(encoding="utf-8"))["tasks"]) == [
        other for other in ("face", "emotion") if other != task
    ]


def test_all_faults_are_named_at_once(study: Path) -> None:
    assert len(refused(study, {"seed": -1, "typo": 1, "split.test": 2}).splitlines()) == 4


def test_a_file_that_is_no_yaml_is_refused(study: Path) -> None:
    for text, expected in {
        "a: [": "not readable as YAML",
        "a: 1\na: 2": "duplicate key",
        "": "the file: None is refused",
        "- 1": "the file: [1] is refused",
    }.items():
        paths.PARAMS.write_text(text, encoding="utf-8")
        with pytest.raises(StudyError, match=expected.replace("[", r"\[")):
            check()
    paths.PARAMS.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StudyError, match="not readable"):
        check()
    paths.PARAMS.unlink()
    with pytest.raises(StudyError, match="not there"):
        check()
