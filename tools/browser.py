"""Pages in a real Chromium, where one is installed."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
NO_CHROMIUM = "chromium is not there (Debian: apt install chromium)"


@contextmanager
def opened(width: int = 1440, height: int = 900, **context: Any) -> Iterator[tuple[Page, list[str]]]:
    """An empty page, and a list that fills with what its console complains of and what it asks the network for."""
    with sync_playwright() as playwright:
        # Chromium's own sandbox needs rights that containers and root do not have.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_context(viewport={"width": width, "height": height}, **context).new_page()
        page.set_default_timeout(15_000)
        faults: list[str] = []
        page.on("console", lambda entry: faults.append(entry.text) if entry.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda request: None if local(request.url) else faults.append(request.url))
        yield page, faults
        browser.close()


def local(url: str) -> bool:
    """Whether an address lies on this machine."""
    return url.startswith(("file:", "data:", "blob:", "http://127.0.0.1:", "about:"))
