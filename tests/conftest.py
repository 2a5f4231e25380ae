"""A skipped test counts as failed unless tests/allowed_skips.txt names it: a check must not vanish in silence."""

import atexit
import os
import signal
from contextlib import chdir
from pathlib import Path

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    # Before torch is imported: two test processes with two threads each would wait for each other all the time.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell's background jobs, and all that they start, ignore interrupts, which some tests send.
signal.signal(signal.SIGINT, signal.default_int_handler)

ALLOWED = Path(__file__).with_name("allowed_skips.txt")


def unexpected_skips(skipped: set[str], allowed: str) -> list[str]:
    """Skipped tests that no line of the list names; a line starting with # is a comment."""
    names = {line.strip() for line in allowed.splitlines() if line.strip() and not line.startswith("#")}
    return sorted(skipped - names)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of two test processes one starts with the pipeline, which takes longest, and the other with the fast tests."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: item.path.name != "test_pipeline.py")


def pytest_unconfigure() -> None:
    """A stage that succeeded within a test must not end this process with its 0."""
    from facestudy import process  # noqa: PLC0415

    atexit.unregister(process._exit_at_once)


@pytest.fixture(scope="session")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with exported models; not to be changed (tests/exports.py)."""
    from tests.exports import make_exports  # noqa: PLC0415 (it brings torch)

    folder = tmp_path_factory.mktemp("exports")
    with chdir(folder):
        make_exports(folder)
    return folder


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
