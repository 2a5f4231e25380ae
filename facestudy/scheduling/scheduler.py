"""The loop over DVC's graph: what submitit lacks is which stage waits for which, and how many fit on one machine."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from facestudy.scheduling.graph import Graph

State = Literal["waiting", "running", "done", "restored", "unchanged", "failed", "not run"]
ENDED = {"done", "restored", "unchanged", "failed", "not run"}


class Engine(Protocol):
    """Where stages run."""

    poll_seconds: float

    def submit(self, stage: str) -> str | None:
        """Start a stage and say where it runs; None where there is no room for it now."""

    def holds_others(self, stage: str) -> bool:
        """Whether a stage without room keeps those behind it waiting, or they would never let it in."""

    def where(self, stage: str) -> str:
        """Where a stage that was started is."""

    def ended(self) -> dict[str, State]:
        """The stages that have ended since the last call, and how."""

    def cancel(self) -> None:
        """End all that runs: somebody asked for it."""

    def leave(self) -> None:
        """What becomes of that which runs where the command ends by an error."""


@dataclass
class Row:
    """What is known of a stage."""

    state: State = "waiting"
    where: str = ""
    began: float | None = None  # seconds of time.time()
    seconds: float = 0.0


@dataclass
class Scheduler:
    """Runs every stage that is not up to date once all that it needs have ended well."""

    graph: Graph
    engine: Engine
    rows: dict[str, Row] = field(default_factory=dict)

    def run(self, fresh: set[str], show: Callable[[], None]) -> None:
        """Run all stages but the fresh ones; `show` is called after every look at the engine.

        A stage that fails stops those that need it and no other.
        """
        self.rows = {name: Row("unchanged" if name in fresh else "waiting") for name in self.graph.needs}
        # Those first on which most others wait, as they are listed among equals.
        order = sorted(self.graph.needs, key=lambda name: -len(self.graph.followers[name]))
        while True:
            for name, state in self.engine.ended().items():
                self._end(name, state)
            for name in order:
                if self._ready(name) and not self._start(name) and self.engine.holds_others(name):
                    break
            for name, row in self.rows.items():
                if row.state == "running":
                    row.where = self.engine.where(name)
            show()
            if all(row.state in ENDED for row in self.rows.values()):
                return
            time.sleep(self.engine.poll_seconds)

    def _ready(self, name: str) -> bool:
        needs = (self.rows[needed].state for needed in self.graph.needs[name])
        return self.rows[name].state == "waiting" and all(state in ("done", "restored", "unchanged") for state in needs)

    def _start(self, name: str) -> bool:
        where = self.engine.submit(name)
        if where is None:
            return False
        self.rows[name] = Row("running", where, time.time())
        return True

    def _end(self, name: str, state: State) -> None:
        row = self.rows[name]
        row.state, row.seconds = state, time.time() - (row.began or time.time())
        if state == "failed":
            for follower in self.graph.followers[name]:
                if self.rows[follower].state == "waiting":
                    self.rows[follower].state = "not run"
