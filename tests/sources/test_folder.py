import os
from pathlib import Path

import pytest
from pydantic import ValidationError

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
    assert row == {"file": "a.png", "person": "anna", "emotion": "glad"}  # no task without a column reads one


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
        ["images/Anna_Bo_1.png", "anna_bo", "anna_bo"],
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


def one_row(root: Path, text: str, layout: Layout = LAYOUT) -> dict[str, str]:
    (root / "labels.csv").write_text(text, encoding="utf-8", newline="")
    [row] = collect(layout, root).to_dict("records")
    return {str(name): value for name, value in row.items()}


@pytest.mark.parametrize(
    "text",
    [
        "file;person;face;emotion;;\na.png;anna;yes;;;\n",
        "file;person;face;emotion;;\na.png;anna;yes;\n",
        "file;person;face;emotion\na.png;anna;yes;;;\n",
        "sep=;\nfile;person;face;emotion\na.png;anna;yes;\n",
        '"sep=|"\r\nfile|person|face|emotion|\r\na.png|anna|yes||\r\n',
        "file|person|face|emotion\na.png|anna|yes|\n",
        ",file,person,face,emotion\n0,a.png,anna,yes,\n",  # as pandas writes its index
        "file;;person;face;emotion\na.png;;anna;yes;\n;;;;\n",
        "\ufeffSEP=,\n File ,PERSON,face\u00a0,\u200bEmotion\na.png,anna,yes,\n",
    ],
)
def test_a_table_of_a_spreadsheet_is_read_without_its_empty_columns(tmp_path: Path, text: str) -> None:
    expected = {"file": "images/a.png", "person": "anna", "face": "yes", "emotion": ""}
    assert one_row(tmp_path, text) == expected


def test_cells_that_a_spreadsheet_leaves_out_at_the_end_are_empty_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "file,face,emotion,light\na.png,yes,sad,dim\nb.png,yes\nc.png,no,happy\n"
    (tmp_path / "labels.csv").write_text(text, encoding="utf-8")
    table = collect(LAYOUT, tmp_path)
    assert table[["face", "emotion", "light"]].to_numpy().tolist() == [
        ["yes", "sad", "dim"],
        ["yes", "", ""],
        ["no", "happy", ""],
    ]
    assert "labels.csv: 2 rows end before the header does, the first is row 3" in capsys.readouterr().out


def test_a_row_is_named_by_its_number_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("sep=;\nfile;face\n\na.png;x\nb.png;x;more\n", encoding="utf-8")
    assert "row 5: 3 cells where the header has 2" in refused(tmp_path)


NAMES = ["_merge", "index", "level_0", "Index", "path", "origin", "count", "p_x", "0", "label_x", "file_y", "None"]


def test_a_column_of_any_name_is_a_column_like_any_other(tmp_path: Path) -> None:
    text = ",".join(["file", "face", *NAMES, "note", "note", "note (2)"])
    row = one_row(tmp_path, f"{text}\na.png,x,{','.join(map(str, range(len(NAMES) + 3)))}\n")
    extras = {name: value for name, value in row.items() if name not in {"file", "person", "face", "emotion"}}
    assert list(extras) == [*NAMES, "note", "note (3)", "note (2)"]
    assert list(extras.values()) == [str(number) for number in range(len(extras))]


def test_columns_that_later_tables_have_are_left_aside_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert set(one_row(tmp_path, "file,face,split,light\na.png,x,train,dim\n")) == {
        *("file", "person", "face", "emotion", "light")
    }
    assert "left aside: split (" in capsys.readouterr().out


JOSE = ["Jos\u00e9", "JOS\u00c9", "Jose\u0301", "jos\u00e9 ", "\u200bjos\u00e9", "J\uff4fs\u00e9"]
BO = ["Ana\u00a0Bo", "ana \u2009bo", "ANA\u3000BO\ufeff", "a\u00adna\tbo", "ana bo\u200d"]
GROSS = ["Gro\u00df", "GROSS", "gross"]
IREM = ["\u0130rem", "irem"]


@pytest.mark.parametrize("spellings", [JOSE, BO, GROSS, IREM])
def test_one_word_in_several_spellings_is_one_label_and_one_person(tmp_path: Path, spellings: list[str]) -> None:
    rows = [
        {"file": f"{number}.png", "person": word, "face": word, "emotion": "x"} for number, word in enumerate(spellings)
    ]
    write_labels(tmp_path / "labels.csv", rows)
    table = collect(LAYOUT, tmp_path)
    assert table["face"].nunique() == table["person"].nunique() == 1
    columns = Columns(file="file", emotion="emotion")
    by_name = [{"file": f"{word}_{number}.png", "emotion": "x"} for number, word in enumerate(spellings)]
    write_labels(tmp_path / "labels.csv", by_name)
    assert collect(Layout(columns=columns, person_pattern=r"^(.+)_\d+\."), tmp_path)["person"].nunique() == 1


@pytest.mark.parametrize(
    "rename", [{"Happiness": "happy"}, {"happiness": "Happy"}, {"\u00a0HAPPINESS ": "h\u00adappy"}]
)
def test_both_sides_of_rename_are_labels_in_any_spelling(tmp_path: Path, rename: dict[str, str]) -> None:
    rows = [{"file": f"{label}.png", "emotion": label} for label in ("Happiness", "happiness", "happy", "Happy", "sad")]
    write_labels(tmp_path / "labels.csv", rows)
    assert collect(Layout(rename=rename), tmp_path)["emotion"].value_counts().to_dict() == {"happy": 4, "sad": 1}


def test_a_rename_that_finds_nothing_or_says_two_things_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_labels(tmp_path / "labels.csv", [{"file": "a.png", "emotion": "happiness"}])
    collect(Layout(rename={"hapiness": "happy", "happiness": "glad"}), tmp_path)
    assert "rename: no picture has the label 'hapiness'" in capsys.readouterr().out
    with pytest.raises(ValidationError, match="'HAPPY' is renamed twice"):
        Layout(rename={"happy": "glad", "HAPPY": "joyful"})


def test_a_person_who_is_the_label_too_is_renamed_as_one(tmp_path: Path) -> None:
    write_labels(tmp_path / "labels.csv", [{"file": "a.png", "person": "Bob"}, {"file": "b.png", "person": "Robert"}])
    layout = Layout(columns=Columns(file="file", person="person", face="person"), rename={"Bob": "Robert"})
    table = collect(layout, tmp_path)
    assert set(table["person"]) == set(table["face"]) == {"robert"}


def test_a_label_file_for_one_task_and_class_folders_for_the_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in ("images/a.png", "emotion/Sad/b.png", "emotion/happy/c.png", "images/emotion/happy/d.png"):
        paint(tmp_path / file, 1)
    rows = [
        {"file": "a.png", "person": "anna", "face": "yes"},
        {"file": "emotion/Sad/b.png", "person": "bo", "face": ""},
    ]
    write_labels(tmp_path / "labels.csv", rows)
    expected = {
        "images/a.png": ["anna", "yes", ""],
        "emotion/Sad/b.png": ["bo", "", "sad"],
        "emotion/happy/c.png": ["", "", "happy"],
        "images/emotion/happy/d.png": ["", "", "happy"],
    }
    assert {file: row for file, *row in collect(LAYOUT, tmp_path).to_numpy().tolist()} == expected
    assert capsys.readouterr().out == ""
    write_labels(tmp_path / "labels.csv", [{"file": "emotion/Sad/b.png", "person": "bo"}])  # who, for class folders
    table = collect(LAYOUT, tmp_path)
    assert table["person"].tolist().count("bo") == 1 and len(table) == 3


def test_class_folders_of_a_task_that_the_label_file_has_are_left_aside_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in ("face/yes/a.png", "face/yes/b.png", "face/no/c.png"):
        paint(tmp_path / file, 1)
    write_labels(tmp_path / "labels.csv", [{"file": "face/yes/a.png", "face": "perhaps"}])
    assert list(collect(LAYOUT, tmp_path)["face"]) == ["perhaps"]
    assert "face/: 2 pictures are left aside, for labels.csv has this task's labels" in capsys.readouterr().out


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
        b"file,face\na.png;x\n": "row 2: 1 cells where the header has 2",
        b'file,face,mood\n"a.png,x\nb.png","y"\n': "row 2: 2 cells where the header has 3",
        b"face,file\nx\n": "row 2: 1 cells where the header has 2",
        b"face,file,light\nx, \n": "row 2: 2 cells where the header has 3",
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


@pytest.mark.parametrize("target", ["lost.png", "a.png/x", "x" * 300])
def test_a_link_that_leads_nowhere_is_refused_by_name(tmp_path: Path, target: str) -> None:
    paint(tmp_path / "face" / "anna" / "a.png", 1)
    (tmp_path / "face" / "anna" / "lost.png").symlink_to(target)
    assert "anna/lost.png: a link whose target is not there" in refused(tmp_path)


def test_the_delimiter_is_not_sought_within_quotes(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text('"file","face","light; of; the; day"\na.png,anna,noon\n', encoding="utf-8")
    assert collect(LAYOUT, tmp_path)["face"].tolist() == ["anna"]


def test_a_name_that_is_too_long_for_a_file_is_one_that_is_not_there(tmp_path: Path) -> None:
    write_labels(tmp_path / "labels.csv", [{"file": "x" * 300, "face": "anna"}])
    assert collect(LAYOUT, tmp_path)["file"].tolist() == [f"images/{'x' * 300}"]
