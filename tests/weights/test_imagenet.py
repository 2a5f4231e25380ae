import hashlib
import math
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torchvision import models

from facestudy.errors import StudyError
from facestudy.weights import imagenet
from tests.loopback import serving


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server on loopback that gives out a folder; torch's cache is empty."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    with serving(tmp_path) as url:
        yield url


def saved(folder: Path, content: object = None) -> str:
    """What is given, else weights, in a file whose name ends in the first digits of its hash; its name."""
    torch.save({"fc.weight": torch.ones(2)} if content is None else content, folder / "weights.pth")
    digits = hashlib.sha256((folder / "weights.pth").read_bytes()).hexdigest()[:8]
    (folder / "weights.pth").rename(folder / f"net-{digits}.pth")
    return f"net-{digits}.pth"


def small_network() -> dict[str, torch.Tensor]:
    """The state dict of SqueezeNet 1.1, with random values."""
    return dict(models.get_model("squeezenet1_1", weights=None).state_dict())


def test_weights_are_fetched_and_their_hash_is_held_against_the_name(server: str, tmp_path: Path) -> None:
    name = saved(tmp_path)
    shutil.copyfile(tmp_path / name, tmp_path / "net-00000000.pth")
    assert imagenet.fetch(f"{server}/{name}")["fc.weight"].tolist() == [1, 1]
    for wrong in ("net-00000000.pth", name.replace("net", "absent")):
        with pytest.raises(StudyError, match=f"{server}/{wrong} .*pretrain"):
            imagenet.fetch(f"{server}/{wrong}")
    for unverified in ("net.pth", "net-.pth", "net-1.0.pth"):
        with pytest.raises(StudyError, match="first 8 digits of its SHA-256"):
            imagenet.fetch(f"{server}/{unverified}")


@pytest.mark.parametrize(
    "url", ["http://[bad/net-12345678.pth", "://x/net-12345678.pth", "http://a b:c/net-12345678.pth"]
)
def test_a_url_that_is_none_is_named(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(StudyError, match=re.escape(url)):
        imagenet.download("resnet18", url)


def test_weights_that_fit_are_taken(server: str, tmp_path: Path) -> None:
    url = f"{server}/{saved(tmp_path, small_network())}"
    tensors, origin = imagenet.download("squeezenet1_1", url)
    assert tensors.keys() == small_network().keys() and origin == f"squeezenet1_1 from {url}"


def test_densenet_s_file_is_taken_though_its_names_are_old(server: str, tmp_path: Path) -> None:
    state = models.get_model("densenet121", weights=None).state_dict()
    old = {re.sub(r"(denselayer\d+\.(norm|conv))([12])", r"\1.\3", name): tensor for name, tensor in state.items()}
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    tensors, _ = imagenet.download("densenet121", f"{server}/{saved(tmp_path, old)}")
    assert tensors.keys() == state.keys()


def test_a_mirror_s_file_is_torchvision_s_where_the_hash_is() -> None:
    url = "https://mirror.example/vgg.pth/"
    same = "torchvision's vgg16 IMAGENET1K_V1 (ImageNet)"
    assert imagenet.origin("vgg16", "IMAGENET1K_V1") == same
    assert imagenet.origin("vgg16", f"{url}own-397923af.pth?key=secret") == f"{same}, from {url}own-397923af.pth"
    assert imagenet.origin("vgg16", f"{url}vgg16-12345678.pth") == f"vgg16 from {url}vgg16-12345678.pth"


@pytest.mark.parametrize(
    ("arch", "changes", "fault"),
    [
        (
            "squeezenet1_0",
            {},
            r"does not fit squeezenet1_0: size mismatch for features\.0\.weight: .*; name weights of",
        ),
        ("squeezenet1_1", {"features.0.weight": torch.ones(2)}, r"size mismatch for features\.0\.weight"),
        ("squeezenet1_1", {"features.99.weight": torch.ones(2)}, r"1 tensors that .* first 'features\.99\.weight'"),
        (
            "squeezenet1_1",
            {"features.0.bias": torch.full((64,), math.nan)},
            r"NaN or infinite values in features\.0\.bias",
        ),
        ("resnet18", {}, r"does not fit resnet18: it lacks \d+ tensors, first 'conv1\.weight'"),
    ],
)
def test_weights_that_do_not_fit_are_refused_by_key_url_and_tensor(
    arch: str, changes: dict[str, torch.Tensor], fault: str, server: str, tmp_path: Path
) -> None:
    url = f"{server}/{saved(tmp_path, small_network() | changes)}"
    with pytest.raises(StudyError, match=rf"^weights\.architectures\.{arch}\.imagenet: {url} .*{fault}"):
        imagenet.download(arch, url)


@pytest.mark.filterwarnings("ignore:Validating sparse tensor invariants")
@pytest.mark.parametrize(
    "content",
    [
        [1, 2],
        {"state_dict": {"a": torch.ones(1)}},
        {0: torch.ones(1)},
        {"a": torch.ones(1).to_sparse()},
        {"a": torch.ones(1, device="meta")},
        {},
        torch.nn.Linear(1, 1),
    ],
)
def test_a_file_that_holds_no_weights_is_named(content: object, server: str, tmp_path: Path) -> None:
    name = saved(tmp_path, content)
    with pytest.raises(StudyError, match=f"{name}.* holds no"):
        imagenet.fetch(f"{server}/{name}")


def test_what_torch_has_in_its_cache_is_not_downloaded_again(
    server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = saved(tmp_path)
    imagenet.fetch(f"{server}/{name}")
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).unlink()
    assert imagenet.fetch(f"{server}/{name}")["fc.weight"].tolist() == [1, 1]
    (tmp_path / name).write_bytes(whole)
    cached = tmp_path / "cache" / "hub" / "checkpoints" / name
    cached.write_bytes(whole[: len(whole) // 2])  # as a full disk leaves it
    assert imagenet.fetch(f"{server}/{name}")["fc.weight"].tolist() == [1, 1]
    assert cached.read_bytes() == whole and "downloaded anew" in capsys.readouterr().err


def test_without_a_server_there_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(StudyError, match=r"http://127.0.0.1:9/net-00000000.pth .*without network"):
        imagenet.fetch("http://127.0.0.1:9/net-00000000.pth")
    with pytest.raises(StudyError, match="IMAGENET1K_V1"):
        imagenet.download("resnet18", "IMAGENET9K")
    with pytest.raises(StudyError, match=r"resnet19\.imagenet: torchvision has no classifier resnet19; .* resnet18,"):
        imagenet.download("resnet19", "IMAGENET1K_V1")


def test_a_connection_that_breaks_leaves_nothing_and_the_next_call_starts_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    name = saved(tmp_path)
    for sent in (0, 100):
        with (
            serving(tmp_path, sent) as url,
            pytest.raises(StudyError, match=f"{name} is not the whole .* the connection"),
        ):
            imagenet.fetch(f"{url}/{name}")
    assert list((tmp_path / "cache" / "hub" / "checkpoints").iterdir()) == []
    with serving(tmp_path) as url:
        assert imagenet.fetch(f"{url}/{name}")["fc.weight"].tolist() == [1, 1]


@pytest.mark.parametrize("content", [b"<html>", zipfile.ZipFile, Path("/x")])
def test_a_file_that_torch_does_not_read_is_named_without_unsafe_advice(
    content: object, server: str, tmp_path: Path
) -> None:
    if isinstance(content, bytes):
        name = f"page-{hashlib.sha256(content).hexdigest()[:8]}.pth"
        (tmp_path / name).write_bytes(content)
    else:
        name = saved(tmp_path, content)
    with pytest.raises(
        StudyError, match=rf"checkpoints/{name}, fetched from {server}/{name}, holds no .*; delete it"
    ) as caught:
        imagenet.fetch(f"{server}/{name}")
    assert not re.search("weights_only|could not be fetched|\x1b|\n", str(caught.value))


@pytest.mark.parametrize("home", ["file", "cache", "/proc/no folder"])
def test_a_cache_that_cannot_be_written_is_named(
    home: str, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "cache" / "hub").mkdir(parents=True)
    (tmp_path / "cache" / "hub" / "checkpoints").write_bytes(b"")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / home))
    folder = re.escape(str(tmp_path / home / "hub" / "checkpoints"))
    with pytest.raises(StudyError, match=rf"^{folder}, .*: .*; set TORCH_HOME") as caught:
        imagenet.fetch(f"{server}/{saved(tmp_path)}")
    assert "weights.source" not in str(caught.value)
