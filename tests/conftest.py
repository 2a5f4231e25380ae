"""A skipped test counts as failed unless tests/allowed_skips.txt names it: a check must not vanish in silence."""

import atexit
import ctypes
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

if TYPE_CHECKING:
    from tests.wandb_server import Server

# Before torch is imported: two test processes with two threads each would wait for each other all the time; and the
# bytes of a training depend on the number of threads, which is the same here and in what a test starts.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell's background jobs, and all that they start, ignore interrupts, which some tests send.
signal.signal(signal.SIGINT, signal.default_int_handler)

ALLOWED = Path(__file__).with_name("allowed_skips.txt")


def unexpected_skips(skipped: set[str], allowed: str) -> list[str]:
    """Skipped tests that no line of the list names; a line starting with # is a comment."""
    names = {line.strip() for line in allowed.splitlines() if line.strip() and not line.startswith("#")}
    return sorted(skipped - names)


def pytest_runtest_teardown() -> None:
    """Stages keep the memory that they free (`process.keep_freed_memory`); a test process grew to 12 GB by it."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
    if trim is not None:
        trim(0)


def pytest_unconfigure() -> None:
    """A stage that succeeded within a test must not end this process with its 0."""
    from facestudy import process  # noqa: PLC0415

    atexit.unregister(process._exit_at_once)


def made_once(name: str, make: Callable[[Path], None], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that `make` has filled, the same one for all test processes; not to be changed."""
    top = tmp_path_factory.getbasetemp()
    folder = (top.parent if "PYTEST_XDIST_WORKER" in os.environ else top) / name
    whole = folder.with_suffix(".whole")
    with FileLock(folder.with_suffix(".lock")):
        if not whole.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            whole.touch()
    return folder


@pytest.fixture(scope="module")
def module_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for all tests of a module; what they leave there, often gigabytes, is removed after them."""
    folder = tmp_path_factory.mktemp("module")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def finished_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small study that `dvc repro` ran (tests/clone.py), beside traces/ where strace works; copy it to change it."""
    from tests.clone import finish  # noqa: PLC0415

    return made_once("finished", finish, tmp_path_factory) / "study"


@pytest.fixture(scope="session")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with exported models; not to be changed (tests/exports.py)."""
    from tests.exports import make_exports  # noqa: PLC0415 (it brings torch)

    def make(folder: Path) -> None:
        with chdir(folder):
            make_exports(folder)

    return made_once("exports", make, tmp_path_factory)


@pytest.fixture
def a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """W&B has a key, a home of its own and no mode; what it keeps for a process goes before and after the test."""
    import wandb  # noqa: PLC0415 (half a second)

    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("WANDB_API_KEY", "0123456789" * 4)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    wandb.teardown()  # it may have been set up in this process for an earlier test
    yield
    wandb.teardown()


@pytest.fixture
def wandb_server(a_key: None, monkeypatch: pytest.MonkeyPatch) -> Iterator["Server"]:
    """W&B's server (tests/wandb_server.py), which W&B uses; nothing may be asked of it that it does not know."""
    from tests.wandb_server import serving  # noqa: PLC0415

    with serving() as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        yield server
    assert server.unknown == []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    names = _unexpected(terminalreporter)
    if names:
        terminalreporter.section("skipped, but not in tests/allowed_skips.txt")
        for name in names:
            terminalreporter.line(name)


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and _unexpected(reporter) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _unexpected(reporter: pytest.TerminalReporter) -> list[str]:
    skipped = {report.nodeid for report in reporter.stats.get("skipped", [])}
    return unexpected_skips(skipped, ALLOWED.read_text(encoding="utf-8"))
