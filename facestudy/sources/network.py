"""Reaching a host, or saying within seconds that it cannot be reached and what works without it."""

import socket
import threading
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

from facestudy.errors import StudyError

PATIENCE = 15  # seconds to find and reach a host
SILENCE = 10  # seconds that a host which was reached may stay silent
UNFINISHED = ".part"  # ends the name of a folder of which files are missing, with which the next run goes on
OFFLINE = "without a network, `data.source: sample` draws its photos and `data.source: folder` reads your own"


def reach(url: str) -> None:
    """Return once the host of a URL, or the proxy on the way to it, takes connections.

    Raises StudyError after PATIENCE seconds at the latest, also where the name lookup hangs.
    """
    host, port = _next_host(url)
    outcome: list[str] = []

    def connect() -> None:
        try:
            socket.create_connection((host, port), timeout=SILENCE).close()
            outcome.append("")
        except (OSError, UnicodeError) as error:  # the latter for a host name that is none
            outcome.append(str(error))

    # A name lookup knows no time limit, so it is left behind in a thread that does not keep the process alive.
    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    if outcome != [""]:
        raise unreachable(url, outcome[0] if outcome else f"no answer within {PATIENCE} seconds")


def unreachable(url: str, why: object) -> StudyError:
    """The error for a URL that cannot be read, with the choices that need no network."""
    return StudyError(f"cannot get {url}{way(url)}: {why}; {OFFLINE}")


def way(url: str) -> str:
    """In words, the proxy on the way to a URL, without its user and password; empty where there is none."""
    try:
        proxy = _proxy(url)
        return f" through the proxy {proxy.netloc.rpartition('@')[2]}" if proxy else ""
    except ValueError:
        return ""


def _proxy(url: str) -> SplitResult | None:
    """Raises ValueError for a URL that is none."""
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme)
    if not proxy or proxy_bypass(parts.netloc):
        return None
    return urlsplit(proxy if "//" in proxy else f"http://{proxy}")


def _next_host(url: str) -> tuple[str, int]:
    try:
        parts = _proxy(url) or urlsplit(url)
        if parts.hostname:
            return parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:  # brackets without their partner, or a port that is no number
        pass
    raise StudyError(f"{url} is no URL that can be read; it should look like https://host/path")
