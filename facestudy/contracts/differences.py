"""metrics/differences/<task>.json: what distinguishes the variants of a task, and whether chance could explain it."""

from pydantic import Field

from facestudy.project.files import Contract


class Difference(Contract):
    """Two variants on the same pictures, the first at least as often right as the second."""

    first: str = Field(description="variant")
    second: str = Field(description="variant")
    accuracy: float = Field(description="of the first minus that of the second, 0..1")
    better: int = Field(description="pictures on which the first alone is right")
    worse: int = Field(description="pictures on which the second alone is right")
    by_person: bool = Field(description="whether a picture shares its person with another, and p counts whole persons")
    p: float = Field(
        description="exact and two-sided: McNemar's (1947), or where `by_person` the same with each person's sum of "
        "differences in place of each picture's; corrected for the pairs of this task and seed (Holm, 1979)"
    )


class SeedDifference(Contract):
    """Two variants trained with the same seeds, the first on average at least as accurate as the second."""

    first: str = Field(description="variant")
    second: str = Field(description="variant")
    mean: float = Field(description="of the paired differences in accuracy, 0..1")
    deviation: float = Field(description="their standard deviation, of a sample")
    seeds: int = Field(description="number of trainings of each")
    p: float = Field(
        description="paired t test, two-sided, corrected for folds and for the pairs of this task (Holm, 1979)"
    )


class Differences(Contract):
    """metrics/differences/<task>.json"""

    by_seed: dict[str, list[Difference]] = Field(description='every pair, by seed; folds together as "all"')
    over_seeds: list[SeedDifference] = Field(description="every pair, where there are several seeds")
