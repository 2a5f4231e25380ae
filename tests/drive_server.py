"""Google Drive on loopback, as gdown asks it: an HTTPS proxy that answers for Drive's hosts itself.

gdown, requests and TLS are the real ones; the certificate is of the test's own authority.
"""

import html
import http.server
import mimetypes
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

PAGES, FILES = "drive.google.com", "drive.usercontent.google.com"
SUBJECT = ["-subj", "/CN=Drive on loopback", "-addext", f"subjectAltName=DNS:{PAGES},DNS:{FILES}"]
TOO_MANY = "Too many users have viewed or downloaded this file recently. Please try accessing the file again later."


@dataclass
class Drive:
    """A folder that is given out, and how; files are named by their path below it."""

    folder: Path
    scanned: set[str] = field(default_factory=set)  # too large for the virus scan: given out when that is confirmed
    refused: set[str] = field(default_factory=set)  # downloaded too often
    cut: dict[str, int] = field(default_factory=dict)  # how many times more a connection breaks within the file
    blocked: set[str] = field(default_factory=set)  # hosts that the proxy lets nobody reach
    asked: list[str] = field(default_factory=list)  # what was given out, or asked for in vain, in order
    environment: dict[str, str] = field(default_factory=dict)  # by which a process comes here

    @property
    def url(self) -> str:
        return f"https://{PAGES}/drive/folders/{number(self.folder)}"

    def path(self, wanted: str) -> Path | None:
        """The file or folder of a number."""
        return next((each for each in [self.folder, *self.folder.rglob("*")] if number(each) == wanted), None)


def number(path: Path) -> str:
    """By which Drive names a file or folder."""
    return sha256(str(path).encode()).hexdigest()[:33]


@contextmanager
def drive_server(folder: Path, certificates: Path) -> Iterator[Drive]:
    """Give out a folder until the block ends; `certificates` is an empty folder."""
    drive, key, certificate = Drive(folder), certificates / "key.pem", certificates / "certificate.pem"
    made = ["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    subprocess.run([*made, *SUBJECT, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)

    class Handler(_Handler):
        pass

    Handler.drive, Handler.tls = drive, tls
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        address = f"http://127.0.0.1:{running.server_port}"
        drive.environment = {"https_proxy": address, "HTTPS_PROXY": address, "no_proxy": "", "NO_PROXY": ""}
        drive.environment |= {"REQUESTS_CA_BUNDLE": str(certificate)}
        running.daemon_threads = True
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        try:
            yield drive
        finally:
            running.shutdown()
            thread.join()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    drive: Drive
    tls: ssl.SSLContext
    host = ""

    def do_CONNECT(self) -> None:
        """The client asks the proxy for a host, and talks to it through TLS from then on."""
        host = self.path.partition(":")[0]
        if host in self.drive.blocked or host not in (PAGES, FILES):
            self.drive.asked.append(f"blocked {host}")
            self.send_error(403, "Forbidden")
            return
        self.send_response(200)
        self.end_headers()
        self.host = host
        self.connection = self.tls.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", 0)
        self.close_connection = False

    def finish(self) -> None:
        super().finish()
        self.connection.close()  # that of TLS, which the server does not know

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        path = self.drive.path(query.get("id", ""))
        if path is None:
            self._page(404, "<title>Not Found</title>")
        elif (self.host, parts.path) == (PAGES, "/embeddedfolderview"):
            self._page(200, _listing(path))
        elif (self.host, parts.path) == (PAGES, "/uc"):
            self.send_response(303)
            self.send_header("Location", f"https://{FILES}/download?id={query['id']}&export=download")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif (self.host, parts.path) == (FILES, "/download"):
            self._file(path, query)
        else:
            self._page(404, "<title>Not Found</title>")

    def _file(self, path: Path, query: dict[str, str]) -> None:
        name = path.relative_to(self.drive.folder).as_posix()
        if name in self.drive.refused:
            self.drive.asked.append(f"refused {name}")
            said = '<p class="uc-error-caption">Sorry, you can&#39;t view or download this file at this time.</p>'
            self._page(200, f'{said}<p class="uc-error-subcaption">{TOO_MANY}</p>')
            return
        if name in self.drive.scanned and query.get("confirm") != "t":
            self.drive.asked.append(f"scanned {name}")
            fields = {"id": query["id"], "export": "download", "confirm": "t", "uuid": "0f7d"}
            hidden = "".join(f'<input type="hidden" name="{each}" value="{fields[each]}">' for each in fields)
            said = "Google Drive can&#39;t scan this file for viruses."
            form = f'<form id="download-form" action="https://{FILES}/download" method="get">{hidden}</form>'
            self._page(200, f"<p>{said}</p>{form}")
            return
        content = path.read_bytes()
        asked = self.headers.get("Range")
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        self.send_response(206 if asked else 200)
        self.send_header("Content-Type", mimetypes.guess_type(path)[0] or "application/octet-stream")
        self.send_header("Content-Disposition", f"attachment; filename*=UTF-8''{quote(path.name)}")
        self.send_header("Content-Length", str(len(content) - start))
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        self.end_headers()
        if self.drive.cut.get(name, 0):
            self.drive.cut[name] -= 1
            self.drive.asked.append(f"cut {name}")
            self.wfile.write(content[start : (start + len(content)) // 2])
            self.close_connection = True
            return
        self.drive.asked.append(f"from {start} {name}" if start else name)
        self.wfile.write(content[start:])

    def _page(self, status: int, text: str) -> None:
        content = f"<!DOCTYPE html><html><body>{text}</body></html>".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


def _listing(folder: Path) -> str:
    """The page that lists a folder, for who may see it without an account."""
    kinds = {True: "drive/folders/{}", False: "file/d/{}/view?usp=drive_web"}
    links = "".join(
        f'<div class="flip-entry"><a href="https://{PAGES}/{kinds[path.is_dir()].format(number(path))}">'
        f'<div class="flip-entry-title">{html.escape(path.name)}</div></a></div>'
        for path in sorted(folder.iterdir())
    )
    return f"<title>{html.escape(folder.name)}</title>{links}"
