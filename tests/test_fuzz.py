"""Broken and hostile input through the project's readers: a result or an error of ours, in time, and nothing else.

`make fuzz` tries FUZZ_INPUTS for most readers, `make test` sixty.
"""

import io
import json
import os
import resource
import shutil
import signal
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError
from ruamel.yaml import YAML
from safetensors.numpy import save as safetensors

from facestudy.contracts.counts import DownloadReport
from facestudy.contracts.results import Result
from facestudy.errors import StudyError
from facestudy.models import checkpoints
from facestudy.models.metadata import WeightsMetadata
from facestudy.photos.reading import UnreadablePicture, ending, read
from facestudy.project import parameters, paths, sections
from facestudy.project.files import read_json, write_text
from facestudy.project.sections import Folder
from facestudy.sources.folder import collect
from facestudy.sources.unpacking import unpack
from stages.check import check
from tests.inputs import ROOT, labelled_folder

INPUTS = int(os.environ.get("FUZZ_INPUTS", "60"))
SECONDS, BYTES = 5.0, 10**9
FORMATS = ["jpg", "png", "webp", "tif", "gif", "bmp", "ppm", "jp2", "avif"]
NASTY = ["", "..", "../x", "/etc/passwd", "a\nb", "a\0b", '"', "'", "é", "x" * 255, "-1", "nan", "1e999", "null", "{}"]
fuzzed = settings(
    max_examples=INPUTS, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


tried = 0


@pytest.fixture(scope="module", autouse=True)
def _counted() -> Iterator[None]:
    yield
    if "FUZZ_COUNT" in os.environ:
        Path(os.environ["FUZZ_COUNT"]).write_text(str(tried), encoding="utf-8")


@contextmanager
def bounded() -> Iterator[None]:
    """Counts an input, and fails it where it takes more than 5 seconds or lets the process grow by more than 1 GB."""
    global tried  # noqa: PLW0603
    tried += 1

    def late(*_: object) -> None:
        raise TimeoutError(f"more than {SECONDS} s")

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    earlier = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, earlier)
    assert 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) < BYTES


def mutations(whole: bytes, seed: int) -> bytes:
    """The bytes with a few changed, taken out, repeated, or cut off; by the seed."""
    random = np.random.default_rng(seed)
    data = bytearray(whole)
    for _ in range(random.integers(1, 5)):
        start = int(random.integers(len(data) + 1))
        length = int(random.integers(1, 20))
        match random.integers(6):
            case 0:
                data[start : start + length] = random.bytes(len(data[start : start + length]))
            case 1:
                del data[start : start + length]
            case 2:
                data[start:start] = data[start : start + 200]
            case 3:
                del data[start:]
            case 4:
                data[start : start + 4] = b"\xff" * len(data[start : start + 4])
            case 5:
                other = int(random.integers(len(data) + 1))
                data[start : start + length] = data[other : other + length]
    return bytes(data)


def everything_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def picture(kind: str) -> bytes:
    packed = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (40, 48, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(packed, format={"jpg": "JPEG", "tif": "TIFF", "jp2": "JPEG2000"}.get(kind, kind))
    return packed.getvalue()


def test_pictures(tmp_path: Path) -> None:
    whole = {kind: picture(kind) for kind in FORMATS}
    path = tmp_path / "picture"
    outcomes = set()
    for number in range(INPUTS):
        path.write_bytes(mutations(whole[FORMATS[number % len(FORMATS)]], number))
        with bounded():
            try:
                pixels = read(path, 50)
                assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3
                assert ending(path, 50).startswith(".")
                outcomes.add("read")
            except UnreadablePicture as reason:
                assert str(reason)
                outcomes.add("refused")
    assert outcomes == {"read", "refused"}
    assert everything_below(tmp_path) == {"picture"}


def archive(kind: str) -> bytes:
    packed = io.BytesIO()
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as opened_zip:
        opened_zip.writestr("a.txt", b"a" * 100)
    members = {
        "images/a.jpg": picture("jpg"),
        "labels.csv": b"file,face\na.jpg,target\n",
        "inner.zip": inner.getvalue(),
    }
    if kind == "zip":
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as opened_zip:
            for name, content in members.items():
                opened_zip.writestr(name, content)
    else:
        modes: dict[str, Literal["w:", "w:gz", "w:bz2", "w:xz"]]
        modes = {"": "w:", "gz": "w:gz", "bz2": "w:bz2", "xz": "w:xz"}
        with tarfile.open(fileobj=packed, mode=modes[kind]) as opened:
            for name, content in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                opened.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def test_archives(tmp_path: Path) -> None:
    kinds = ["zip", "", "gz", "bz2", "xz"]
    whole = {kind: archive(kind) for kind in kinds}
    outcomes = set()
    for number in range(INPUTS):
        path, folder = tmp_path / "archive", tmp_path / "inside" / "unpacked"
        path.write_bytes(mutations(whole[kinds[number % len(kinds)]], number))
        folder.mkdir(parents=True)
        with bounded():
            try:
                unpack(path, folder)
                outcomes.add("unpacked")
            except StudyError as error:
                assert str(error)
                outcomes.add("refused")
        assert {name for name in everything_below(tmp_path) if not name.startswith("inside/unpacked/")} == {
            "archive", "inside", "inside/unpacked",
        }  # fmt: skip
        for below in sorted(folder.rglob("*"), reverse=True):
            below.rmdir() if below.is_dir() else below.unlink()
        folder.rmdir()
    assert outcomes == {"unpacked", "refused"}


ENTRIES = [tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.FIFOTYPE]


@given(names=st.lists(st.text(max_size=60) | st.sampled_from(NASTY), min_size=1, max_size=5), data=st.data())
@fuzzed
def test_names_in_archives(tmp_path_factory: pytest.TempPathFactory, names: list[str], data: st.DataObject) -> None:
    base = tmp_path_factory.mktemp("names")
    (base / "unpacked").mkdir()
    with tarfile.open(base / "archive", "w") as opened:
        for name in names:
            info = tarfile.TarInfo(name)
            info.type = data.draw(st.sampled_from(ENTRIES))
            info.linkname = data.draw(st.sampled_from(NASTY))
            opened.addfile(info)
    with bounded():
        try:
            unpack(base / "archive", base / "unpacked")
        except StudyError as error:
            assert str(error)
    for below in base.rglob("*"):
        assert below.is_file() or below.is_dir()
    assert {path.name for path in base.iterdir()} == {"archive", "unpacked"}


CELLS = st.text(max_size=30) | st.sampled_from([*NASTY, "f1.png", "f2.png", "target", "stranger"])


@given(rows=st.lists(st.lists(CELLS, min_size=3, max_size=5), max_size=6), header=st.booleans(), raw=st.booleans())
@fuzzed
def test_label_tables(tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], header: bool, raw: bool) -> None:
    root = tmp_path_factory.mktemp("labels")
    labelled_folder(root, faces=4, emotions=0)
    names = ["file", "person", "face", "emotion", "light"]
    text = pd.DataFrame([row + [""] * (5 - len(row)) for row in rows], columns=names).to_csv(index=False, header=header)
    if raw:
        text = "\n".join(",".join(row) for row in ([names[:3]] if header else []) + rows)
    (root / "labels.csv").write_bytes(text.encode("utf-8", "surrogatepass"))
    _collected(root)


def test_mutated_label_tables(tmp_path: Path) -> None:
    labelled_folder(tmp_path, faces=6, emotions=6)
    whole = (tmp_path / "labels.csv").read_bytes()
    for number in range(INPUTS):
        (tmp_path / "labels.csv").write_bytes(mutations(whole, number))
        _collected(tmp_path)


def _collected(root: Path) -> None:
    layout = Folder(path=str(root))
    with bounded():
        try:
            table = collect(layout, root)
        except StudyError as error:
            assert str(error)
            return
        for file in table["file"]:
            assert (root / file).resolve().is_relative_to(root.resolve())
            try:
                read(root / file, 50)
            except UnreadablePicture as reason:
                assert str(reason)


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for folder in ("data/photos", "data/pretrain-photos"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


def _checked() -> bool:
    with bounded():
        try:
            check()
        except StudyError as error:
            assert str(error)
            return False
    return True


def test_mutated_params(study: Path) -> None:
    whole = (ROOT / "params.yaml").read_bytes()
    for number in range(INPUTS // 4):  # reading YAML takes 50 ms
        paths.PARAMS.write_bytes(mutations(whole, number))
        _checked()


def _leaves(values: Any, *key: str) -> Iterator[tuple[str, ...]]:
    if isinstance(values, dict) and values:
        for name, value in values.items():
            yield from _leaves(value, *key, name)
    yield key


WHOLE: dict[str, Any] = YAML(typ="safe", pure=True).load((ROOT / "params.yaml").read_text(encoding="utf-8"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(NASTY),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)


@given(key=st.sampled_from(sorted(set(_leaves(WHOLE)))), value=JSON)
@settings(fuzzed, max_examples=max(10, INPUTS // 4))
def test_values_in_params(tmp_path_factory: pytest.TempPathFactory, key: tuple[str, ...], value: Any) -> None:
    values = json.loads(json.dumps(WHOLE))
    section = values
    for name in key[:-1]:
        section = section[name]
    if key:
        section[key[-1]] = value
    else:
        values = value
    with bounded():
        try:
            sections.Parameters.model_validate(values)
        except ValidationError as error:
            assert [parameters._described(fault) for fault in error.errors()]


def _read_history(path: Path) -> Any:
    folder = paths.model_metrics("face", "vgg16", 0)
    write_text(folder / "scores.json", '{"reason": "no pictures"}')
    shutil.copyfile(path, folder / "history.csv")
    return Result.read("face", "vgg16", "VGG16", 0)


@pytest.mark.parametrize(
    ("reader", "whole"),
    [
        (
            lambda path: checkpoints.load(path, WeightsMetadata),
            safetensors(
                {"a": np.zeros((3, 4), np.float32)},
                {"metadata": json.dumps({"format": 1, "arch": "resnet18", "origin": "random"})},
            ),
        ),
        (
            lambda path: read_json(path, DownloadReport),
            b'{"source": "folder", "pictures": 2, "copies": 0, "rejected": {"empty file": 1},'
            b' "labels": {"face": {"target": 1, "other": 1}, "emotion": {"labels": 30, "pictures": 2}}}',
        ),
        (_read_history, b"epoch,train_loss,train_accuracy,val_loss,val_accuracy\n1,0.5,1,0.5,1\n"),
    ],
)
def test_files_between_stages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: Callable[[Path], Any], whole: bytes
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "file"
    path.write_bytes(whole)
    reader(path)
    refused = 0
    for number in range(INPUTS):
        path.write_bytes(mutations(whole, number))
        with bounded():
            try:
                reader(path)
            except StudyError as error:
                assert str(error)
                refused += 1
    assert refused > INPUTS / 10


@pytest.mark.parametrize(
    "kind", ["pipe", "device", "loop", "outside", "folder", "long", "newline", "quote", "gigapixels", "nested"]
)
def test_odd_things_in_a_photo_folder(study: Path, kind: str) -> None:
    """Each beside sound photos, which are read unless DVC would hang or fail at what lies there: that is refused."""
    root = study / "photos"
    labelled_folder(root, faces=4, emotions=0)
    folder = root / "face" / "target"
    (root / "labels.csv").unlink()
    folder.mkdir(parents=True)
    for number, label in enumerate(("target", "target", "stranger", "stranger")):
        (root / "face" / label).mkdir(exist_ok=True)
        (root / "images" / f"f{number}.png").rename(root / "face" / label / f"f{number}.png")
    names = {"long": "x" * 251 + ".png", "newline": "a\nb.png", "quote": "a\"b'c.png"}
    odd = folder / names.get(kind, "odd.png")
    match kind:
        case "pipe":
            os.mkfifo(odd)
        case "device":
            odd.symlink_to("/dev/zero")
        case "loop":
            odd.symlink_to(odd.name)
            (folder / "again").symlink_to(folder)
        case "outside":
            odd.symlink_to("/etc/passwd")
        case "folder":
            odd.mkdir()
        case "gigapixels":
            odd.write_bytes(_huge())
        case "nested":
            odd.write_bytes(archive("zip"))
        case _:
            odd.write_bytes(picture("png"))
    if kind in ("pipe", "device", "loop"):
        with bounded(), pytest.raises(StudyError, match=r"face/target/odd\.png: "):
            collect(Folder(path=str(root)), root)
        return
    with bounded():
        table = collect(Folder(path=str(root)), root)
        usable = []
        for file in table["file"]:
            try:
                read(root / file, 50)
                usable.append(Path(file).name)
            except UnreadablePicture as reason:
                assert str(reason)
    sound = [f"f{number}.png" for number in range(4)]
    assert sorted(usable) == sorted([*sound, odd.name] if kind in names else sound)


def _huge() -> bytes:
    """A PNG whose header claims two gigapixels."""
    whole = bytearray(picture("png"))
    whole[16:24] = (50_000).to_bytes(4, "big") + (40_000).to_bytes(4, "big")
    whole[29:33] = zlib.crc32(whole[12:29]).to_bytes(4, "big")
    return bytes(whole)
