"""`facestudy predict`, as a user calls it."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facestudy.exports.exported import Exported
from facestudy.inference.inputs import photo_files
from facestudy.project import paths
from tests.exports import CLASSES, copy_exports, rewrite_export
from tests.inputs import NO_OVERRIDE, ROOT


@pytest.fixture(scope="module")
def study(exports: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Exported models and photos: four of one drawn face each, one of two faces, one of none, one that is broken."""
    folder = tmp_path_factory.mktemp("predict")
    copy_exports(exports, folder)
    draw_two(folder)
    Image.fromarray(np.full((200, 200, 3), 90, np.uint8)).save(folder / "wall.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    return folder


def draw_two(folder: Path) -> None:
    """two.jpg, of two of the folder's photos side by side."""
    photos = sorted((folder / "photos").glob("*.jpg"))
    faces = [Image.open(photo) for photo in photos[1:3]]
    both = Image.new("RGB", (2 * faces[0].width, faces[0].height))
    for number, face in enumerate(faces):
        both.paste(face, (number * face.width, 0))
    both.resize((1024, 512)).save(folder / "two.jpg", quality=95)


def call(study: Path, *arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "facestudy.cli", "predict", *arguments],
        cwd=study, input=given, env=environment, capture_output=True, check=False,
    )  # fmt: skip


def answered(study: Path, *arguments: str, given: bytes = b"") -> list[dict]:  # type: ignore[type-arg]
    done = call(study, *arguments, "--json", given=given)
    assert done.returncode == 0, done.stderr.decode()
    found: list[dict] = json.loads(done.stdout)  # type: ignore[type-arg]
    return found


def test_one_photo_gets_the_answer_of_each_task_s_best_variant(study: Path) -> None:
    (photo,) = answered(study, "photos/pretrain_00000.jpg")
    (face,) = photo["faces"]
    assert [(answer["task"], answer["variant"]) for answer in face["answers"]] == [
        ("face", "resnet18_pretrained"),
        ("emotion", "resnet18_pretrained"),
    ]
    for answer in face["answers"]:
        assert list(answer["probabilities"]) == CLASSES[answer["task"]]
        assert (
            answer["probability"] == max(answer["probabilities"].values()) == answer["probabilities"][answer["label"]]
        )
        assert sum(answer["probabilities"].values()) == pytest.approx(1)
    x, y, width, height = face["box"]
    assert 0 < x + width / 2 < 128 and 0 < y + height / 2 < 128


def test_folder_pattern_names_and_bytes_give_the_same(study: Path) -> None:
    by_folder = answered(study, "photos")
    assert len(by_folder) == 4 and all(len(photo["faces"]) == 1 for photo in by_folder)
    assert answered(study, "photos/*.jpg") == by_folder
    names = "\n".join(photo["photo"] for photo in by_folder)
    assert answered(study, "-", given=names.encode()) == by_folder
    (single,) = answered(study, "-", given=Path(study / by_folder[0]["photo"]).read_bytes())
    assert single == {**by_folder[0], "photo": "standard_input"}


def test_every_face_gets_answers_and_a_photo_without_one_is_answered_as_a_whole(study: Path) -> None:
    two, wall = answered(study, "two.jpg", "wall.png")
    assert [face["found"] for face in two["faces"]] == [True, True] and two["problem"] is None
    (whole,) = wall["faces"]
    assert whole["box"] == [0, 0, 200, 200] and whole["found"] is False
    assert [answer["task"] for answer in whole["answers"]] == ["face", "emotion"]
    assert "no face found; the whole photo" in call(study, "wall.png").stdout.decode()


def prepared_with(study: Path, **settings: str) -> None:
    """Make a model of the study say that its pictures were prepared with other settings."""
    model = study / paths.exported("face", "resnet18_scratch", 0, "onnx")
    preprocess = Exported.load(model).metadata.preprocess.model_copy(update=settings)
    rewrite_export(model, model, preprocess=preprocess)


def test_several_faces_are_answered_as_a_whole_where_training_did_so(exports: Path, tmp_path: Path) -> None:
    copy_exports(exports, tmp_path)
    prepared_with(tmp_path, several_faces="whole")
    draw_two(tmp_path)
    (tmp_path / "one.jpg").symlink_to(tmp_path / "photos" / "pretrain_00000.jpg")
    named = ("two.jpg", "one.jpg", "--task", "face", "--variant", "resnet18_scratch")
    two, one = answered(tmp_path, *named)
    (whole,) = two["faces"]
    assert (whole["box"], whole["found"], whole["whole_photo"]) == ([0, 0, 1024, 512], False, "several faces found")
    (face,) = one["faces"]
    assert face["found"] is True and face["whole_photo"] is None
    assert call(tmp_path, *named, "--csv", "answers.csv").returncode == 0
    rows = list(csv.DictReader(io.StringIO((tmp_path / "answers.csv").read_text(encoding="utf-8"))))
    assert [(row["face"], row["problem"]) for row in rows] == [("", "several faces found"), ("1", "")]
    assert "several faces found; the whole photo" in call(tmp_path, *named).stdout.decode()


def test_a_model_that_saw_faces_alone_answers_for_faces_alone(exports: Path, tmp_path: Path) -> None:
    copy_exports(exports, tmp_path)
    prepared_with(tmp_path, no_face="leave_out")
    Image.fromarray(np.full((200, 200, 3), 90, np.uint8)).save(tmp_path / "wall.png")
    named = ("wall.png", "--task", "face", "--variant", "resnet18_scratch")
    (wall,) = answered(tmp_path, *named)
    assert wall["faces"] == []
    assert "no face found\n" in call(tmp_path, *named).stdout.decode()


def test_named_tasks_and_variants_answer(study: Path) -> None:
    (photo,) = answered(study, "two.jpg", "--task", "emotion", "--variant", "resnet18_scratch", "--int8")
    assert {(answer["task"], answer["variant"]) for face in photo["faces"] for answer in face["answers"]} == {
        ("emotion", "resnet18_scratch")
    }


def test_a_table_by_csv(study: Path, tmp_path: Path) -> None:
    target = tmp_path / "answers.csv"
    assert call(study, "two.jpg", "wall.png", "--csv", str(target)).returncode == 0
    rows = list(csv.DictReader(io.StringIO(target.read_text(encoding="utf-8"))))
    assert [(row["photo"], row["face"], row["task"]) for row in rows] == [
        ("two.jpg", "1", "face"), ("two.jpg", "1", "emotion"), ("two.jpg", "2", "face"), ("two.jpg", "2", "emotion"),
        ("wall.png", "", "face"), ("wall.png", "", "emotion"),
    ]  # fmt: skip
    assert [row["problem"] for row in rows] == ["", "", "", "", "no face found", "no face found"]


def test_copies_are_drawn_and_photos_stay(study: Path, tmp_path: Path) -> None:
    before = (study / "two.jpg").read_bytes()
    assert call(study, "two.jpg", "two.jpg", "--draw", str(tmp_path / "drawn")).returncode == 0
    drawn = sorted(path.name for path in (tmp_path / "drawn").iterdir())
    assert drawn == ["two_faces.jpg", "two_faces_2.jpg"] and (study / "two.jpg").read_bytes() == before
    copy, original = (
        np.asarray(Image.open(path)).astype(int) for path in (tmp_path / "drawn" / drawn[0], study / "two.jpg")
    )
    changed = (np.abs(copy - original).max(axis=2) > 100).any(axis=0)
    assert changed[:512].any() and changed[512:].any()


def test_a_broken_photo_is_reported_after_all_answers(study: Path) -> None:
    done = call(study, "broken.jpg", "two.jpg", "nowhere.jpg")
    answers, message = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == 1 and "Traceback" not in message
    assert "face 2" in answers and "not a picture" in answers and "no such file" in answers
    assert "2 of 3 photos could not be read, first broken.jpg" in message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["two.jpg", "--task", "age"], "the study has no 'age' among its tasks; it has face, emotion"),
        (
            ["two.jpg", "--variant", "vgg19"],
            "the study has no 'vgg19' among its variants; it has resnet18_scratch, resnet18_pretrained",
        ),
        (["no*.jpg"], "no file matches this pattern"),
        (["**.jpg"], "not a pattern"),
        (["photos", "--csv", "."], "this is a folder"),
        (["data"], "data: no picture lies in this folder"),
        (["-"], "no photo was named"),
    ],
)
def test_wrong_input_gets_a_message(study: Path, arguments: list[str], message: str) -> None:
    done = call(study, *arguments)
    assert done.returncode == 1 and message in done.stderr.decode() and "Traceback" not in done.stderr.decode()


def test_without_a_study_the_message_names_the_next_step(tmp_path: Path) -> None:
    done = call(tmp_path, "photo.jpg")
    assert done.returncode == 1 and "dvc repro" in done.stderr.decode() and "Traceback" not in done.stderr.decode()


def test_an_odd_name_neither_breaks_the_table_nor_speaks_to_the_terminal(study: Path) -> None:
    name = "\x1b[31m[red]\n\udcff.jpg"
    (study / name).write_bytes((study / "two.jpg").read_bytes())
    done = call(study, name)
    (study / name).unlink()
    assert done.returncode == 0 and b"\x1b" not in done.stdout and "[31m[red]" in done.stdout.decode()


@pytest.mark.parametrize("changes", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}])
def test_a_terminal_without_the_letters_gets_their_escapes(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str]
) -> None:
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    photo = tmp_path / "Zo\u00eb \u5feb.jpg"
    photo.write_bytes((study / "photos" / "pretrain_00000.jpg").read_bytes())
    done = call(study, str(photo))
    assert done.returncode == 0, done.stderr.decode()
    text = "".join(done.stdout.decode("ascii").split())
    assert "Zo\\xeb\\u5feb.jpg" in text and "face1at" in text
    (described,) = json.loads(call(study, str(photo), "--json").stdout.decode("ascii"))
    assert described["photo"] == str(photo)


def test_torch_is_not_loaded(study: Path) -> None:
    code = "import facestudy.inference.predict, sys; print(*{'torch', 'matplotlib', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_names_of_a_folder_are_pictures_alone(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(study)
    with photo_files(["photos", "two.jpg"]) as found:
        assert [path.name for path in found] == [f"pretrain_0000{number}.jpg" for number in range(4)] + ["two.jpg"]


def test_a_folder_gives_no_clutter_and_tells_what_it_passes_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = Image.fromarray(np.full((32, 32, 3), 90, np.uint8))
    for name in ("a.jpg", "@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg", "#recycle/b.jpg", ".thumbnails/c.jpg"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        picture.save(tmp_path / "photos" / name)
    for name in ("d.HEIC", "e.nef", "f.mov", "g.txt"):
        (tmp_path / "photos" / name).write_bytes(b"x")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "photos" / "third").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "photos" / "lost.jpg").symlink_to("nowhere")
    with photo_files([str(tmp_path / "photos")]) as found:
        assert [path.name for path in found] == ["a.jpg", "d.HEIC", "e.nef", "lost.jpg"]
    told = capsys.readouterr().err
    assert "passed over 1 .mov, 1 .txt" in told and "third: a link to a folder" in told
    with photo_files([str(tmp_path / "photos" / "**" / "*.jpg")]) as found:
        assert [path.name for path in found] == ["a.jpg"]


def test_a_folder_below_that_may_not_be_opened_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"")
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed").chmod(0)
    program = "from facestudy.inference.inputs import photo_files\nwith photo_files(['.']) as found: print(*found)"
    command = [*NO_OVERRIDE, sys.executable, "-c", program]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    (tmp_path / "closed").chmod(0o700)
    assert done.stdout == "a.jpg\n"
    assert done.stderr == "./closed: a folder that cannot be opened (Permission denied), passed over\n"


def test_a_task_without_labels_is_passed_over_or_named(study: Path, tmp_path: Path) -> None:
    copy_exports(study, tmp_path)
    for scores in tmp_path.glob("metrics/face/*/0/scores.json"):
        scores.unlink()
        scores.write_text('{"reason": "no picture has a label"}', encoding="utf-8")
    (photo,) = answered(tmp_path, "photos/pretrain_00000.jpg", "--variant", "resnet18_scratch")
    assert [answer["task"] for answer in photo["faces"][0]["answers"]] == ["emotion"]
    done = call(tmp_path, "two.jpg", "--task", "face")
    assert done.returncode == 1 and "'face' has no trained model: no picture has a label" in done.stderr.decode()


def test_onnx_runtime_sends_its_maker_nothing(study: Path, tmp_path: Path) -> None:
    """Its telemetry, on by default, begins with an identifier and a store of events in the home folder."""
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "XDG_CACHE_HOME")}
    command = [sys.executable, "-m", "facestudy.cli", "predict", "photos/pretrain_00000.jpg"]
    settings = {**environment, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=study, env=settings, capture_output=True, check=True)
    assert list(tmp_path.rglob("*")) == []
