"""What is no longer as dvc.lock has it, in a repository of stand-in stages."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from facestudy.errors import StudyError
from facestudy.sources.duplicates import picture_id
from facestudy.tracing import picture
from facestudy.tracing.records import Records
from facestudy.tracing.trace import text
from tests.inputs import ROOT, paint, write_labels, write_params
from tests.scheduling.toy import dvc, toy

STAGES = {
    "download": {"cmd": "cp given.txt raw.txt", "deps": ["given.txt", "stages/check.py"], "outs": ["raw.txt"]},
    "evaluate": {
        "cmd": "echo '{\"accuracy\": 0.5}' > scores.json",
        "deps": ["raw.txt"],
        "params": ["seed"],
        "metrics": [{"scores.json": {"cache": False}}],
    },
    "plot": {"cmd": "cp scores.json plots/figure.txt", "deps": ["scores.json"], "outs": ["plots/figure.txt"]},
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run and committed; not to be changed."""
    folder = toy(tmp_path_factory.mktemp("toy"), STAGES)
    write_params(folder, {})
    (folder / "plots").mkdir()
    (folder / "given.txt").write_text("photos", encoding="utf-8")
    (folder / "requirements.txt").write_text("torch==1.0  # why\n", encoding="utf-8")
    dvc(folder, "repro", "--quiet")
    commit(folder)
    return folder


@pytest.fixture
def study(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    subprocess.run(["cp", "-a", str(finished), str(tmp_path / "study")], check=True)
    monkeypatch.chdir(tmp_path / "study")
    return tmp_path / "study"


def commit(folder: Path, subject: str = "run") -> None:
    settings = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    for command in (["add", "-A"], [*settings, "commit", "-qm", subject]):
        subprocess.run(["git", *command], cwd=folder, check=True)


def traced(target: str = "scores.json:accuracy") -> str:
    return " ".join(text(target, Records()).split())


def test_nothing_has_changed(study: Path) -> None:
    printed = traced()
    assert "scores.json:accuracy = 0.5" in printed and "seed: 0" in printed and "torch==1.0" in printed
    assert "every file, parameter and line of code below is as dvc.lock has it" in printed
    assert "CHANGED" not in printed and "NOT" not in printed
    assert "given.txt md5" in printed and "which no stage writes" in printed


def replaced_without_cache(study: Path) -> None:
    """An output that is another file now, and whose recorded one the cache has lost."""
    shutil.rmtree(study / ".dvc" / "cache")
    (study / "raw.txt").unlink()
    (study / "raw.txt").write_text("others", encoding="utf-8")


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "number": (
        lambda study: (study / "scores.json").write_text('{"accuracy": 0.9}', encoding="utf-8"),
        "scores.json has CHANGED since dvc.lock (modified): what follows made md5",
    ),
    "parameter": (
        lambda study: write_params(study, {"seed": 1}),
        "seed in params.yaml: CHANGED since dvc.lock (modified)",
    ),
    "output that the cache lacks": (replaced_without_cache, "raw.txt: CHANGED since dvc.lock (modified)"),
    "photos": (
        lambda study: (study / "given.txt").write_text("others", encoding="utf-8"),
        "given.txt: CHANGED since dvc.lock (modified)",
    ),
    "code": (
        lambda study: (study / "stages" / "check.py").write_text("1", encoding="utf-8"),
        "stages/check.py: CHANGED since dvc.lock (modified)",
    ),
    "data": (lambda study: (study / "raw.txt").unlink(), "raw.txt: NOT HERE: `dvc pull` gets it"),
    "command": (
        lambda study: (study / "dvc.yaml").write_text(
            (study / "dvc.yaml").read_text(encoding="utf-8").replace("cp given", "cp -f given"), encoding="utf-8"
        ),
        "download: CHANGED since dvc.lock, which has another command",
    ),
    "record": (
        lambda study: (study / "dvc.lock").write_text("schema: '2.0'\nstages: {}\n", encoding="utf-8"),
        "evaluate: dvc.lock has NO RECORD of this stage",
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_has_changed_since_is_said_first(study: Path, what: str) -> None:
    change, message = CHANGES[what]
    change(study)
    printed = traced()
    assert "not all below is as dvc.lock has it" in printed and message in printed
    assert printed.index(message) < printed.index("command ")


def test_code_that_ran_but_is_not_committed(study: Path) -> None:
    (study / "stages" / "check.py").write_text("1", encoding="utf-8")
    dvc(study, "repro", "--quiet")
    printed = traced()
    assert "stages/check.py: as in dvc.lock, but NOT COMMITTED" in printed
    assert "dvc.lock: NOT COMMITTED" in printed and "NOT COMMITTED changes" in printed


def test_a_number_that_is_not_here_still_has_its_chain(study: Path) -> None:
    (study / "scores.json").unlink()
    printed = traced()
    assert "scores.json:accuracy cannot be shown: the file is not here" in printed and "seed: 0" in printed


def test_no_record_at_all_is_an_error(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (study / "dvc.lock").unlink()
    with pytest.raises(StudyError, match=r"dvc\.lock is not here, so nothing is recorded; run `dvc repro`"):
        traced()
    (study / "dvc.lock").write_text("schema: [", encoding="utf-8")
    with pytest.raises(StudyError, match=r"`git checkout dvc\.lock` repairs it"):
        traced()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StudyError, match=r"there is no dvc\.yaml here"):
        traced()


def test_a_result_is_recorded_when_its_last_output_is(study: Path) -> None:
    pipeline = yaml.safe_load((study / "dvc.yaml").read_text(encoding="utf-8"))
    download = pipeline["stages"]["download"]
    download |= {"cmd": f"{download['cmd']} && echo all > names.txt", "outs": ["raw.txt", "names.txt"]}
    (study / "dvc.yaml").write_text(yaml.safe_dump(pipeline), encoding="utf-8")
    (study / "requirements.txt").write_text("torch==2.0\n", encoding="utf-8")
    dvc(study, "repro", "--quiet")
    assert "its result is in the dvc.lock of NO COMMIT" in traced()
    commit(study, "names too")
    printed = traced()
    assert printed.count("its result is in dvc.lock since commit") == 2
    assert printed.index(", run ") < printed.index(", names too ")
    assert "evaluate: torch==1.0 download: the same, but torch==2.0" in printed


def test_a_damaged_file_on_the_way_is_said_to_be_so(study: Path) -> None:
    (study / "scores.json").write_text('{"accu', encoding="utf-8")
    printed = traced("plots/figure.txt")
    assert "scores.json: CHANGED since dvc.lock (modified)" in printed and "download command cp given.txt" in printed
    assert "metadata scores.json is not readable as JSON" in printed


def test_a_folder_is_said_to_be_one(study: Path) -> None:
    for name in ("plots", "plots/", str(study / "plots")):
        with pytest.raises(StudyError, match=r"plots is a folder, written by plot; name a file in it, as plots/figure"):
            traced(name)
    shutil.rmtree(study / "plots")
    with pytest.raises(StudyError, match="plots is a folder, written by plot"):
        traced("plots")
    with pytest.raises(StudyError, match="stages is written by no stage"):
        traced("stages")


@pytest.mark.parametrize("name", ["x" * 5000, f"plots/{'x' * 5000}", f"scores.json:{'x' * 5000}", f"{'x' * 5000}:y"])
def test_a_name_that_no_file_can_have_is_an_error(study: Path, name: str) -> None:
    with pytest.raises(StudyError, match=r"is no file of the study|scores.json has no 'x"):
        traced(name)


def test_without_git_what_works_is_said(study: Path) -> None:
    shutil.rmtree(study / ".git")
    with pytest.raises(
        StudyError, match=r"There is no Git here: DVC needs `git init`, or `dvc config --local core.no_scm"
    ):
        traced()
    dvc(study, "config", "--local", "core.no_scm", "true")
    assert "commit not known: no Git here" in traced() and "NOT COMMITTED" not in traced()
    (study / "dvc.lock").unlink()
    with pytest.raises(StudyError, match=r"nothing is recorded; run `dvc repro`$"):
        traced()


def test_git_without_a_commit_has_none_yet(study: Path) -> None:
    shutil.rmtree(study / ".git")
    subprocess.run(["git", "init", "-q"], cwd=study, check=True)
    printed = traced()
    assert "dvc.lock: NOT COMMITTED" in printed and "no Git here" not in printed
    assert "commit not known: no commit yet" in printed and "download: not known: no commit yet" in printed


def test_a_history_that_is_cut_is_not_taken_for_the_whole(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["git", "clone", "-q", "--depth", "1", study.as_uri(), str(tmp_path / "shallow")], check=True)
    monkeypatch.chdir(tmp_path / "shallow")
    printed = traced()
    assert "history cut, for this is a shallow clone" in printed and "`git fetch --unshallow` gets the rest" in printed
    assert "since commit" not in printed and "commit not known: the history of this clone is cut" in printed


@pytest.fixture
def photo(study: Path) -> Path:
    """Of data/raw, with its row in the index."""
    photo = paint(study / "data/raw/images/new.png", 0)
    photo = photo.rename(photo.with_stem(picture_id(photo)))
    rows = [{"file": photo.name, "person": "ada", "source_file": "1.png", "face": "target", "emotion": ""}]
    write_labels(study / "data/raw/index.csv", rows)
    picture._table.cache_clear()
    return photo


def test_a_file_elsewhere_is_a_photo_by_its_bytes_alone(study: Path, photo: Path, tmp_path: Path) -> None:
    for name in ("1.png", photo.name, photo.stem, str(photo), f"data/raw/images/{photo.name}"):
        assert "person ada" in traced(name)
    copy = shutil.copy(photo, tmp_path / "copy.png")
    assert "copy.png has the same bytes" in traced(str(copy))
    for name in (photo.name, "1.png"):
        with pytest.raises(StudyError, match="is written by no stage"):
            traced(str(paint(tmp_path / name, 1)))


def test_a_file_of_the_source_that_has_changed_is_said_to_have(study: Path, photo: Path, tmp_path: Path) -> None:
    write_params(study, {"data.source": "folder", "data.folder.path": str(tmp_path / "photos")})
    named = tmp_path / "photos" / "1.png"
    named.parent.mkdir()
    shutil.copy(photo, named)
    assert "person ada" in traced(str(named)) and "1.png has CHANGED" not in traced(str(named))
    paint(named, 1)
    assert "1.png has CHANGED: its bytes are not those that were read" in traced(str(named))


def test_the_command_ends_with_a_message(study: Path) -> None:
    command = [
        sys.executable,
        "-c",
        "import sys; sys.path.insert(0, sys.argv.pop()); from facestudy.cli import main; main()",
    ]
    done = subprocess.run(
        [*command, "trace", "nothing.json", str(ROOT)], cwd=study, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and done.stderr.startswith("error: nothing.json is no file of the study")
    assert "Traceback" not in done.stderr
