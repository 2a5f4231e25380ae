"""A W&B server on loopback: it answers what the client asks of runs, files, artifacts and sweeps, and keeps it.

What the client asks was read from its requests (wandb 0.31). A question that is not known here is an error for the
client, and is listed in `Server.unknown`.
"""

import gzip
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ENTITY, PROJECT, WHEN = "me", "face-classifier-study", "2026-01-01T00:00:00Z"
OPERATION = re.compile(r"^\s*(?:#graphql)?\s*(?:query|mutation)\s+(\w+)")
OF_PROJECT = {"id": "p", "internalId": "1", "name": PROJECT, "entity": {"id": "e", "name": ENTITY}}
ROWS = {"wandb-history.jsonl": "history", "wandb-events.jsonl": "events"}
Json = dict[str, Any]


@dataclass
class Run:
    """What arrived of a run; `history` and `events` are the rows in the order of their arrival."""

    name: str
    settings: Json = field(default_factory=dict)  # group, jobType, tags ... of its last start
    config: Json = field(default_factory=dict)
    summary: Json = field(default_factory=dict)
    history: list[Json] = field(default_factory=list)
    events: list[Json] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    used: list[str] = field(default_factory=list)  # names of artifacts
    logged: list[str] = field(default_factory=list)

    def asked(self) -> Json:
        """As the client's API asks for it."""
        lines = [json.dumps(row) for row in self.history]
        settings = {name: self.settings.get(name) for name in ("displayName", "jobType", "notes", "description")}
        return settings | {
            "id": self.name, "projectId": "1", "name": self.name, "commit": None, "readOnly": False, "createdAt": WHEN,
            "heartbeatAt": WHEN, "state": "finished", "user": {"name": ENTITY, "username": ENTITY},
            "sweepName": self.settings.get("sweep"), "group": self.settings.get("groupName"),
            "tags": self.settings.get("tags") or [], "config": json.dumps(self.config), "systemMetrics": "{}",
            "wandbConfig": '{"t": 1}',  # by which the client sees that the run was started, and continues it
            "summaryMetrics": json.dumps(self.summary), "historyKeys": {}, "logLineCount": 0,
            "historyLineCount": len(lines), "history": lines, "historyTail": json.dumps(lines[-1:]),
            "eventsLineCount": len(self.events), "eventsTail": "[]",
        }  # fmt: skip


@dataclass
class Artifact:
    """What arrived of an artifact; `files` are those of its manifest, and their contents where they were uploaded."""

    id: str
    asked: Json  # as the client asked for it
    manifest: Json = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    committed: bool = False

    @property
    def name(self) -> str:
        return str(self.asked["artifactCollectionName"])

    def described(self) -> Json:
        """As the client's API asks for it."""
        sequence = {"__typename": "ArtifactSequence", "name": self.name, "project": OF_PROJECT}
        return {
            "__typename": "Artifact", "id": self.id, "artifactSequence": sequence, "state": "COMMITTED",
            "artifactType": {"name": self.asked["artifactTypeName"]}, "metadata": self.asked.get("metadata") or "{}",
            "digest": self.asked["digest"], "fileCount": len(self.manifest.get("contents", {})), "createdAt": WHEN,
            "updatedAt": WHEN, "versionIndex": 0, "description": None, "ttlDurationSeconds": -2,
            "ttlIsInherited": True, "tags": [], "historyStep": None, "size": 0, "digestAlgorithm": None,
            "commitHash": "c", "aliases": [],
        }  # fmt: skip


class Server(ThreadingHTTPServer):
    """Listens on a port of its own; each path that starts with `refuses`, where that is set, gets an error 500."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Print nothing where a client that ends leaves its connections."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.refuses = ""
        self.runs: dict[str, Run] = {}
        self.artifacts: dict[str, Artifact] = {}
        self.sweeps: dict[str, Json] = {}
        self.commands: list[Json] = []  # that the next agent gets, one a heartbeat
        self.asked: list[str] = []
        self.began: list[str] = []  # names of runs, once for each start
        self.unknown: list[str] = []

    @property
    def steps(self) -> list[int]:
        """Steps of all runs in the order of their arrival."""
        return [row["_step"] for run in self.runs.values() for row in run.history]

    def answer(self, operation: str, variables: Json) -> Json | None:
        """The data of an answer to a GraphQL operation; None for one that is not known."""
        method: Callable[[Json], Json] | None = getattr(self, f"_{operation}", None)
        return method(variables) if method else None

    def _run(self, variables: Json) -> Run | None:
        return self.runs.get(str(variables.get("run") or variables.get("name") or variables.get("runName")))

    def _Viewer(self, _: Json) -> Json:  # noqa: N802
        user = {"id": "v", "entity": ENTITY, "username": ENTITY, "name": ENTITY, "email": "", "admin": False}
        none: Json = {"edges": []}
        return {"viewer": user | {"flags": "{}", "teams": none, "apiKeys": none, "deletedAt": None}}

    _GetViewer = _GetDefaultEntity = _Viewer

    def _ServerFeaturesQuery(self, _: Json) -> Json:  # noqa: N802
        return {"serverInfo": {"features": []}}

    def _RunResumeStatus(self, variables: Json) -> Json:  # noqa: N802
        run = self._run(variables)
        return {"model": OF_PROJECT | {"bucket": run and run.asked()}}

    def _UpsertBucket(self, variables: Json) -> Json:  # noqa: N802
        name = variables["name"]
        new = name not in self.runs
        run = self.runs.setdefault(name, Run(name))
        if variables["displayName"]:  # a later one changes the config alone
            self.began.append(name)
        run.settings |= {key: value for key, value in variables.items() if value is not None}
        run.config |= json.loads(variables["config"] or "{}")
        return {"upsertBucket": {"bucket": run.asked() | {"project": OF_PROJECT}, "inserted": new}}

    def _CreateRunFiles(self, variables: Json) -> Json:  # noqa: N802
        address = f"{self.url}/run/{variables['run']}/"
        files = [{"name": name, "uploadUrl": address + name} for name in variables["files"]]
        return {"createRunFiles": {"runID": "b", "uploadHeaders": [], "files": files}}

    def _Runs(self, _: Json) -> Json:  # noqa: N802
        edges = [{"node": run.asked(), "cursor": name} for name, run in self.runs.items()]
        runs = {"edges": edges, "pageInfo": {"endCursor": None, "hasNextPage": False}}
        return {"project": {"internalId": "1", "runCount": len(edges), "readOnly": False, "runs": runs}}

    def _RunFullHistory(self, variables: Json) -> Json:  # noqa: N802
        run = self._run(variables)
        return {"project": {"run": run and run.asked()}}

    _Run = _RunFullHistory

    def _ArtifactType(self, variables: Json) -> Json:  # noqa: N802
        named = [each for each in self.artifacts.values() if each.name == variables["name"].split(":")[0]]
        return {"project": {"artifact": named[0].described() if named else None}}

    def _CreateArtifact(self, variables: Json) -> Json:  # noqa: N802
        asked = variables["input"]
        artifact = Artifact(f"artifact{len(self.artifacts)}", asked)
        self.artifacts[artifact.id] = artifact
        if asked["runName"]:  # what a run only uses has none
            self.runs[asked["runName"]].logged.append(artifact.name)
        sequence = {"latestArtifact": None}
        return {"createArtifact": {"artifact": {"id": artifact.id, "state": "PENDING", "artifactSequence": sequence}}}

    def _manifest(self, artifact: str, answer: str) -> Json:
        file = {"id": "f", "uploadUrl": f"{self.url}/manifest/{artifact}", "uploadHeaders": []}
        return {answer: {"artifactManifest": {"id": artifact, "file": file}}}

    def _CreateArtifactManifest(self, variables: Json) -> Json:  # noqa: N802
        return self._manifest(variables["artifactID"], "createArtifactManifest")

    def _UpdateArtifactManifest(self, variables: Json) -> Json:  # noqa: N802
        return self._manifest(variables["artifactManifestID"], "updateArtifactManifest")

    def _CreateArtifactFiles(self, variables: Json) -> Json:  # noqa: N802
        nodes: list[Json] = []
        for file in variables["input"]["artifactFiles"]:
            path = f"artifact/{file['artifactID']}/{file['name']}"
            nodes.append({
                "storagePath": path, "uploadUrl": f"{self.url}/{path}", "uploadHeaders": [],
                "uploadMultipartUrls": None, "artifact": {"id": file["artifactID"]},
            })  # fmt: skip
        return {"createArtifactFiles": {"files": {"edges": [{"node": node} for node in nodes]}}}

    def _CommitArtifact(self, variables: Json) -> Json:  # noqa: N802
        artifact = self.artifacts[variables["artifactID"]]
        artifact.committed = True
        return {"commitArtifact": {"artifact": {"id": artifact.id, "digest": artifact.asked["digest"]}}}

    def _UseArtifact(self, variables: Json) -> Json:  # noqa: N802
        asked = variables["input"]
        self.runs[asked["runName"]].used.append(self.artifacts[asked["artifactID"]].name)
        return {"useArtifact": {"artifact": {"id": asked["artifactID"]}}}

    def _ArtifactByID(self, variables: Json) -> Json:  # noqa: N802
        return {"artifact": self.artifacts[variables["id"]].described()}

    def _UpsertSweep(self, variables: Json) -> Json:  # noqa: N802
        name = f"sweep{len(self.sweeps)}"
        self.sweeps[name] = variables
        return {"upsertSweep": {"sweep": {"name": name, "project": OF_PROJECT}, "configValidationWarnings": []}}

    def _SweepWithRuns(self, variables: Json) -> Json:  # noqa: N802
        name = variables["sweep"]
        sweep = {"id": name, "name": name, "config": self.sweeps[name]["config"], "runs": {"edges": []}}
        return {"project": {"sweep": sweep}}

    def _CreateAgent(self, _: Json) -> Json:  # noqa: N802
        return {"createAgent": {"agent": {"id": "a"}}}

    def _Heartbeat(self, variables: Json) -> Json:  # noqa: N802
        running = any(json.loads(variables["runState"]).values())
        commands = [] if running else [self.commands.pop(0)] if self.commands else [{"type": "exit"}]
        return {"agentHeartbeat": {"agent": {"id": "a"}, "commands": json.dumps(commands)}}


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *arguments: Any) -> None:
        """Print nothing."""

    def _body(self) -> bytes:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def parse_request(self) -> bool:
        """Whether to go on with a request: one that is refused has its answer here."""
        going = super().parse_request()
        if going and self.server.refuses and self.path.startswith(self.server.refuses):
            self._body()
            self._answer({}, 500)
            return False
        return going

    def do_GET(self) -> None:
        self._answer({})

    def do_PUT(self) -> None:
        """The upload of a file, to one of the addresses that were given out."""
        kind, name, *rest = self.path.strip("/").split("/")
        body = self._body()
        if kind == "run":
            self.server.runs[name].files["/".join(rest)] = body
        elif kind == "artifact":
            self.server.artifacts[name].files["/".join(rest)] = body
        else:
            self.server.artifacts[name].manifest = json.loads(body)
        self._answer({})

    def do_POST(self) -> None:
        sent = json.loads(self._body())
        if self.path.endswith("/file_stream"):
            self._stream(self.server.runs[self.path.split("/")[-2]], sent)
            return
        found = OPERATION.match(sent["query"])
        operation = found[1] if found else sent["query"]
        self.server.asked.append(operation)
        try:
            answer = self.server.answer(operation, sent.get("variables") or {})
        except (KeyError, TypeError) as error:
            answer, operation = None, f"{operation}: {error!r}"
        if answer is None:
            self.server.unknown.append(operation)
            self._answer({"errors": [{"message": f"{operation} is not known here"}]}, 400)
        else:
            self._answer({"data": answer})

    def _stream(self, run: Run, sent: Json) -> None:
        """Rows are appended, as W&B's server appends those of a second upload."""
        for name, part in sent.get("files", {}).items():
            rows = [json.loads(line) for line in part["content"]]
            if name in ROWS:
                getattr(run, ROWS[name]).extend(rows)
            elif name == "wandb-summary.json":
                run.summary = rows[-1]
        self._answer({})

    def _answer(self, values: Any, status: int = 200) -> None:
        content = json.dumps(values).encode()
        self.send_response(status)
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
