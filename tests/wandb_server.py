"""A W&B server on loopback that takes what it is sent, as far as a run and `wandb sync` need it."""

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PROJECT = {"id": "p", "name": "p", "entity": {"id": "e", "name": "me"}}
BUCKET = {"id": "b", "description": None, "config": "{}", "sweepName": None, "project": PROJECT, "historyLineCount": 0}
ANSWERS = {
    "RunResumeStatus": {"model": PROJECT | {"bucket": None}},
    "CreateRunFiles": {"createRunFiles": {"runID": "b", "uploadHeaders": [], "files": []}},
}


class Server(ThreadingHTTPServer):
    """Keeps the steps that arrive, in their order."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.steps: list[int] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, format: str, *arguments: Any) -> None:
        """Print nothing."""

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        sent = json.loads(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
        query = sent.get("query", "")
        rows = sent.get("files", {}).get("wandb-history.jsonl", {}).get("content", []) if not query else []
        self.server.steps += [json.loads(row)["_step"] for row in rows]
        answer: Any = next((answer for name, answer in ANSWERS.items() if name in query), {})
        if "UpsertBucket" in query:
            name = sent["variables"]["name"]
            bucket = BUCKET | {"name": name, "displayName": name}
            answer = {"upsertBucket": {"bucket": bucket, "inserted": True}}
        self._answer({"data": answer})

    def _answer(self, values: Any) -> None:
        content = json.dumps(values).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def serving() -> Iterator[Server]:
    """A server that listens while the block runs."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
