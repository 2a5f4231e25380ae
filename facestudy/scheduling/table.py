"""What a person sees of a run: a live table on a terminal, elsewhere a line per event; last, what took how long."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from facestudy.scheduling.scheduler import Row, Scheduler

ORDER = ["failed", "running", "waiting", "not run", "done", "restored", "unchanged"]
STYLES = {"failed": "bold red", "running": "bold", "done": "green", "waiting": "dim", "not run": "red"}


@contextmanager
def shown(scheduler: Scheduler, console: Console) -> Iterator[Callable[[], None]]:
    """What to call after each look at the stages."""
    if not console.is_terminal:
        yield _Lines(scheduler, console).show
        return
    with Live(console=console, refresh_per_second=4, vertical_overflow="ellipsis") as live:
        yield lambda: live.update(_table(scheduler.rows))


class _Lines:
    """A line when a stage starts and when it ends."""

    def __init__(self, scheduler: Scheduler, console: Console) -> None:
        self._scheduler, self._console = scheduler, console
        self._states: dict[str, str] = {}

    def show(self) -> None:
        for name, row in self._scheduler.rows.items():
            before = self._states.setdefault(name, row.state if row.state in ("unchanged", "waiting") else "waiting")
            if row.state != before:
                self._states[name] = row.state
                rest = row.where if row.state == "running" else _seconds(row)
                self._console.print(f"{name}: {row.state}{f' ({rest})' if rest else ''}", highlight=False, markup=False)


def _table(rows: dict[str, Row]) -> Table:
    counts = {state: sum(row.state == state for row in rows.values()) for state in ORDER}
    title = ", ".join(f"{number} {state}" for state, number in counts.items() if number)
    table = Table("stage", "state", "where", "since", "seconds", title=title, title_justify="left")
    for name, row in sorted(rows.items(), key=lambda item: ORDER.index(item[1].state)):
        since = time.strftime("%H:%M:%S", time.localtime(row.began)) if row.began else ""
        table.add_row(escape(name), row.state, row.where, since, _seconds(row), style=STYLES.get(row.state, ""))
    return table


def _seconds(row: Row) -> str:
    seconds = time.time() - row.began if row.state == "running" and row.began else row.seconds
    return f"{seconds:.1f} s" if seconds else ""


def summary(rows: dict[str, Row], seconds: float) -> str:
    """What took how long, the longest first, and all together."""
    ran = sorted((row.seconds, name, row.state) for name, row in rows.items() if row.seconds)
    lines = [f"{took:8.1f} s  {name} ({state})" for took, name, state in reversed(ran)]
    alone = sum(took for took, _, _ in ran)
    lines.append(f"{seconds:8.1f} s  in all; the stages one after another, {alone:.1f} s")
    return "\n".join(lines)
