"""The table of a run on a terminal."""

from io import StringIO
from pathlib import Path

from rich.console import Console

from facestudy.scheduling import table
from facestudy.scheduling.graph import Graph
from facestudy.scheduling.local_engine import LocalEngine
from facestudy.scheduling.resources import Resources
from facestudy.scheduling.scheduler import Row, Scheduler


def test_a_stage_is_shown_by_its_name_whatever_letters_it_has(tmp_path: Path) -> None:
    written = StringIO()
    engine = LocalEngine(tmp_path, tmp_path, Resources.of_machine(1, 1, 0, 1, 1), {})
    scheduler = Scheduler(Graph({}), engine, {"plot@[/b]": Row(), "plot@[red]q": Row()})
    with table.shown(scheduler, Console(file=written, force_terminal=True, width=100)) as show:
        show()
    assert "plot@[/b]" in written.getvalue() and "plot@[red]q" in written.getvalue()
