"""The stages of dvc.yaml and what each waits for, from DVC's own graph."""

from dataclasses import dataclass
from functools import cached_property

from dvc.exceptions import DvcException
from dvc.repo import Repo

from facestudy.errors import StudyError


@dataclass(frozen=True)
class Graph:
    """For each stage, by the name that `dvc repro` takes, the stages whose outputs it needs."""

    needs: dict[str, set[str]]

    @cached_property
    def followers(self) -> dict[str, set[str]]:
        """For each stage all that need it, directly or not."""
        followers: dict[str, set[str]] = {name: set() for name in self.needs}
        for name in self.needs:
            for needed in self.all_needs(name):
                followers[needed].add(name)
        return followers

    def with_followers(self, names: set[str]) -> set[str]:
        """These stages and all that need one of them."""
        return names.union(*(self.followers[name] for name in names))

    def all_needs(self, name: str) -> set[str]:
        """All stages that a stage needs, directly or not."""
        found: set[str] = set()
        open_ends = [name]
        while open_ends:
            for needed in self.needs[open_ends.pop()] - found:
                found.add(needed)
                open_ends.append(needed)
        return found


def read(running: set[str]) -> tuple[Graph, set[str]]:
    """The graph, and the stages that are up to date and need none that is not.

    `running`: stages that run already, whose outputs DVC has locked. Raises StudyError where DVC cannot read the
    repository or the pipeline.
    """
    try:
        repo = Repo(_wait_for_lock=True)
        graph = repo.index.graph
        needs = {stage.addressing: {needed.addressing for needed in graph.successors(stage)} for stage in graph}
        whole = Graph(needs)
        known = running & set(needs)
        stale = whole.with_followers(known)
        asked = sorted(set(needs) - stale)
        stale |= whole.with_followers(set(repo.status(targets=asked)) & set(needs) if asked else set())
    except DvcException as error:
        raise StudyError(
            f"DVC cannot read the pipeline: {error}\nAfter a kill, `git checkout dvc.lock` repairs a lock file that is "
            "cut short, and .dvc/tmp/rwlock may be deleted while no DVC runs"
        ) from None
    return whole, set(needs) - stale
