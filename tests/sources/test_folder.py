import os
from pathlib import Path

import pytest

from facestudy.errors import StudyError
from facestudy.project.sections import Columns, Layout
from facestudy.sources.folder import collect
from tests.inputs import labelled_folder, paint, write_labels

LAYOUT = Layout()


def refused(root: Path, layout: Layout = LAYOUT) -> str:
    with pytest.raises(StudyError) as caught:
        collect(layout, root)
    return str(caught.value)


def test_a_label_file_gives_a_row_per_labelled_picture(tmp_path: Path) -> None:
    rows = labelled_folder(tmp_path)
    write_labels(
        tmp_path / "labels.csv",
        [row | {"light": "dark"} for row in rows] + [{"file": "none.png"} | dict.fromkeys(rows[0], "") | {"light": ""}],
    )
    table = collect(LAYOUT, tmp_path)
    assert list(table.columns) == ["file", "person", "face", "emotion", "light"]
    assert len(table) == len(rows)
    first = table[table["file"] == "images/f1.png"].iloc[0].to_dict()
    assert first == {"file": "images/f1.png", "person": "p0", "face": "target", "emotion": "", "light": "dark"}


def test_unlabelled_pictures_are_left_out(tmp_path: Path) -> None:
    write_labels(tmp_path / "labels.csv", [{"file": "a.png", "person": "anna", "emotion": ""}])
    assert collect(LAYOUT, tmp_path).empty


def test_columns_have_the_names_that_are_set_and_rows_keep_their_meaning(tmp_path: Path) -> None:
    write_labels(tmp_path / "data" / "l.csv", [{"image": "a.png", "who": "anna", "face": "?", "is": " Happy "}])
    columns = Columns(file="image", person="who", face=None, emotion="is")
    layout = Layout(labels="data/l.csv", images=".", columns=columns, rename={"happy": "glad"})
    [row] = collect(layout, tmp_path).to_dict("records")
    assert row == {"file": "a.png", "person": "anna", "emotion": "glad", "face": "?"}


def test_a_new_task_is_one_more_column(tmp_path: Path) -> None:
    write_labels(tmp_path / "labels.csv", [{"file": "a.png", "glasses": "yes"}])
    columns = Columns.model_validate({"file": "file", "face": "face", "glasses": "glasses"})
    assert collect(Layout(columns=columns), tmp_path)["glasses"].tolist() == ["yes"]


def test_the_person_is_read_off_the_file_name_and_may_be_the_label(tmp_path: Path) -> None:
    rows = [{"file": "Anna_Bo_1.png", "mood": ""}, {"file": "x.png", "mood": "sad"}, {"file": "y.png", "mood": ""}]
    write_labels(tmp_path / "labels.csv", rows)
    columns = Columns(file="file", person="person", face="person", emotion="mood")
    table = collect(Layout(person_pattern=r"^(.+)_\d+\.", columns=columns), tmp_path)
    assert table[["file", "person", "face"]].to_numpy().tolist() == [
        ["images/Anna_Bo_1.png", "Anna_Bo", "anna_bo"],
        ["images/x.png", "", ""],
    ]


def test_class_folders_give_the_labels(tmp_path: Path) -> None:
    for file in ("face/Target/a.png", "face/other one/sub/b.png", "Emotion/sad/c.png", "notes/x/d.png"):
        paint(tmp_path / file, 1)
    for clutter in ("face/Target/.DS_Store", "face/Target/Thumbs.db", "face/__MACOSX/e.png", ".git/face"):
        paint_text(tmp_path / clutter)
    table = collect(LAYOUT, tmp_path)
    assert table[["file", "face", "emotion"]].to_numpy().tolist() == [
        ["Emotion/sad/c.png", "", "sad"],
        ["face/Target/a.png", "target", ""],
        ["face/other one/sub/b.png", "other one", ""],
    ]


def test_the_order_of_rows_does_not_matter(tmp_path: Path) -> None:
    rows = labelled_folder(tmp_path)
    before = collect(LAYOUT, tmp_path)
    write_labels(tmp_path / "labels.csv", rows[::-1])
    assert collect(LAYOUT, tmp_path).equals(before)


def test_tables_of_other_programs_are_read(tmp_path: Path) -> None:
    paint(tmp_path / "images" / "a.png", 1)
    for text in ("\ufefffile;face\r\na.png;yes\r\n\r\n", "file\tface\na.png\t yes \n", 'file,face\n"a.png","yes"'):
        (tmp_path / "labels.csv").write_text(text, encoding="utf-8", newline="")
        assert collect(LAYOUT, tmp_path)[["file", "face"]].to_numpy().tolist() == [["images/a.png", "yes"]]


def test_files_are_found_with_and_without_the_subfolder_and_in_either_spelling(tmp_path: Path) -> None:
    decomposed = "jose\u0301.png"
    paint(tmp_path / "images" / "a.png", 1)
    paint(tmp_path / decomposed, 2)
    write_labels(
        tmp_path / "labels.csv",
        [{"file": name, "face": "x"} for name in ("images\\a.png", "jos\u00e9.png", "gone.png")],
    )
    assert list(collect(LAYOUT, tmp_path)["file"]) == ["images/a.png", "images/gone.png", decomposed]


@pytest.mark.parametrize("name", ["../a.png", "/etc/passwd", "x/../../a.png", "C:\\a.png", "..\\a.png"])
def test_a_path_that_leaves_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    write_labels(tmp_path / "labels.csv", [{"file": "a.png", "face": "x"}, {"file": name, "face": "x"}])
    message = refused(tmp_path)
    assert "labels.csv, row 3" in message
    assert "leaves the folder" in message
    assert "leaves the folder" in refused(tmp_path, Layout(labels=name))


def test_a_label_file_that_cannot_be_read_is_refused_with_what_it_holds(tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    faults = {
        b"": "is empty",
        b"name,face\na.png,x\n": "no column 'file' (columns.file); it has: name, face",
        b"file,mood\na.png,x\n": "no label column 'face' or 'emotion'; it has: file, mood",
        b"file,face\na.png\n": "row 2: 1 cells where the header has 2",
        b"file,face,face\na.png,x,y\n": "the column 'face' more than once",
        b'file,face\n"a.png,x\n': "cannot be read as CSV",
        "file,face\njos\u00e9.png,x\n".encode("latin-1"): "not in UTF-8",
        "file,face\na.png,x\n".encode("utf-16"): "not in UTF-8",
    }
    for content, expected in faults.items():
        labels.write_bytes(content)
        message = refused(tmp_path)
        assert "labels.csv" in message
        assert expected in message


def test_a_column_that_was_named_on_purpose_must_be_there(tmp_path: Path) -> None:
    write_labels(tmp_path / "labels.csv", [{"file": "a.png", "face": "x"}])
    assert list(collect(LAYOUT, tmp_path)["emotion"]) == [""]
    layout = Layout(columns=Columns(file="file", face="face", emotion="mood"))
    assert "no column 'mood' (columns.emotion); it has: file, face" in refused(tmp_path, layout)


def test_an_unknown_layout_names_what_was_found_and_what_works(tmp_path: Path) -> None:
    for number in range(3):
        paint(tmp_path / "train" / "happy" / f"{number}.jpg", number)
    paint_text(tmp_path / "model.ipynb")
    message = refused(tmp_path)
    for part in ("happy/  3 .jpg", "1 .ipynb", "labels.csv", "face/<label>/, emotion/<label>/"):
        assert part in message
    assert "not there" in refused(tmp_path / "absent")


@pytest.mark.parametrize(
    "clutter",
    ["@eaDir/a.jpg", "#recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found", ".AppleDouble", ".sync"],
)
def test_clutter_of_systems_is_no_picture(tmp_path: Path, clutter: str) -> None:
    for file in ("face/Target/a.png", "emotion/sad/b.png", f"face/Target/{clutter}/c.png", f"face/{clutter}/d.png"):
        paint(tmp_path / file, 1)
    assert list(collect(LAYOUT, tmp_path)["file"]) == ["emotion/sad/b.png", "face/Target/a.png"]


@pytest.mark.parametrize("link", ["images", "face/third", "face/target/deep"])
def test_a_link_to_a_folder_below_is_refused_and_one_as_the_path_works(tmp_path: Path, link: str) -> None:
    paint(tmp_path / "real" / "face" / "target" / "a.png", 1)
    (tmp_path / "linked").symlink_to("real")
    assert list(collect(LAYOUT, tmp_path / "linked")["file"]) == ["face/target/a.png"]
    paint(tmp_path / "elsewhere" / "b.png", 2)
    (tmp_path / "real" / link).symlink_to(tmp_path / "elsewhere")
    message = refused(tmp_path / "linked")
    assert f"linked/{link}: a link to a folder" in message and "Put the folder itself" in message


def test_what_is_no_file_and_a_name_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    paint(tmp_path / "face" / "target" / "a.png", 1)
    os.mkfifo(tmp_path / "face" / "pipe")
    (tmp_path / "face" / "lost.png").symlink_to("nowhere")
    (tmp_path / "face" / "target" / "j\udcfcrg.png").write_bytes(b"")
    message = refused(tmp_path)
    for part in (
        "face/pipe: no file but a pipe",
        "face/lost.png: a link whose target",
        "j\ufffdrg.png: a name that is not",
    ):
        assert part in message
    message.encode("utf-8")


def paint_text(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("text", encoding="utf-8")
