"""data/study.json: the names of tasks, variants and seeds, in their order."""

from pydantic import Field

from facestudy.errors import StudyError
from facestudy.project import paths
from facestudy.project.files import Contract, read_json


class TaskNames(Contract):
    """What the names in the report and the figures need of a task."""

    title: str = Field(description="of the task, in figures and report")
    positive: str | None = Field(description="the label of the target person in a binary task")


class Study(Contract):
    """What the stages that lay models side by side depend on, rather than on all that a variant holds."""

    tasks: dict[str, TaskNames] = Field(description="by name, in the order of params.yaml")
    variants: dict[str, str] = Field(description="title by name, in the order of params.yaml")
    seeds: list[int] = Field(description="one training of each model per entry")

    @classmethod
    def read(cls) -> "Study":
        """Raises StudyError where `check` has not written it."""
        return read_json(paths.STUDY, cls)

    def task(self, name: str) -> TaskNames:
        """A task by name; raises StudyError with those that the study has."""
        if name not in self.tasks:
            raise StudyError(f"the study has no {name!r} among its tasks; it has {', '.join(self.tasks)}")
        return self.tasks[name]

    def title(self, variant: str) -> str:
        """The title of a variant; raises StudyError with those that the study has."""
        if variant not in self.variants:
            raise StudyError(f"the study has no {variant!r} among its variants; it has {', '.join(self.variants)}")
        return self.variants[variant]
