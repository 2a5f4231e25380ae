"""scores.json: how a model does on the validation pictures. Shares and accuracies are in 0..1, losses in nats.

Intervals take the pictures of a person together where persons are known, but for the person that a task asks for;
facestudy/evaluation/intervals.py says how.
"""

from typing import Any, Literal

from pydantic import Field

from facestudy.project.files import Contract

Interval = tuple[float, float]  # both ends, 95 %


class ClassScores(Contract):
    """Of one class against the rest."""

    precision: float = Field(description="0..1; 0 where nothing was predicted as the class")
    recall: float = Field(description="0..1")
    f1: float = Field(description="0..1")
    f1_interval: Interval | None = Field(
        description="Wilson's, by person; null where no picture is of the class or predicted as it"
    )
    support: int = Field(description="pictures of the class")


class GroupScores(Contract):
    """Of the pictures with one value of a column of the index."""

    pictures: int = Field(description="pictures of the group")
    accuracy: float = Field(description="0..1")
    accuracy_interval: Interval = Field(description="Wilson's, by person")
    others_accuracy: float | None = Field(description="of the pictures with another value; null where there are none")
    p: float = Field(
        description="Fisher's exact test against these others, two-sided, by picture, corrected for all groups of the "
        "split (Holm, 1979)"
    )


class OperatingPoint(Contract):
    """Of a binary task, at the lowest threshold that keeps false accepts within a rate."""

    false_accept_rate: float = Field(description="the rate that was asked for, 0..1")
    true_accept_rate: float = Field(description="share of the target's pictures that are accepted, 0..1")
    true_accept_interval: Interval = Field(description="Wilson's, by person")
    false_accepts: int = Field(description="pictures of others that are accepted")
    false_accept_interval: Interval = Field(description="Wilson's, by person, of their share")
    threshold: float | None = Field(description="least probability that is accepted; null where none is")


class Bins(Contract):
    """Reliability by confidence, the probability of the predicted class."""

    pictures: list[float] = Field(description="number in each of ten bins of confidence")
    confidence: list[float] = Field(description="mean in each, 0..1; 0 where empty")
    accuracy: list[float] = Field(description="in each, 0..1; 0 where empty")


class CalibrationScores(Contract):
    """Whether probabilities mean what they say."""

    expected_calibration_error: float = Field(description="0..1")
    brier_score: float = Field(
        description="mean over the pictures of the squared differences between probability and truth, summed over all "
        "classes (Brier, 1950), 0..2"
    )
    loss: float = Field(description="mean negative logarithm of the true class's probability, nats")
    bins: Bins = Field(description="reliability")


class Calibration(CalibrationScores):
    """As trained, and with a temperature, which is applied where cross-validation shows that it helps."""

    fitted_temperature: float | None = Field(
        description="that gives the least log loss on these pictures; null where a class has one picture"
    )
    with_temperature: CalibrationScores | None = Field(
        description="by cross-validation: each picture with a temperature that was fitted on others"
    )
    temperature: float = Field(
        description="that is applied (export and predict divide the logits by that of the validation pictures); 1: "
        "none is"
    )
    not_applied: str | None = Field(description="why no temperature is applied; null where one is")


class KeptEpoch(Contract):
    """Which epoch is scored."""

    kept: int = Field(description="the epoch whose weights the checkpoint has")
    rule: Literal["last", "best"] = Field(description="training.epoch")


class ParameterCounts(Contract):
    """Of a network."""

    total: int = Field(description="all parameters")
    trainable: int = Field(description="parameters that learn")


class TrainScores(Contract):
    """What the gap between training and validation needs."""

    accuracy: float = Field(description="on the training pictures after training, 0..1")
    loss: float = Field(description="nats")


class SplitScores(Contract):
    """Scores of the pictures of one split."""

    accuracy: float = Field(description="0..1")
    accuracy_interval: Interval = Field(
        description="Wilson's, by person: of as many pictures as would say as much if each were of another person"
    )
    loss: float = Field(description="mean negative logarithm of the true class's probability, nats")
    balanced_accuracy: float = Field(description="mean recall of the classes that are there, 0..1")
    balanced_accuracy_interval: Interval = Field(description="Wilson's of a share with the same variance, by person")
    macro_f1: float = Field(description="mean F1 of the classes, 0..1")
    macro_f1_interval: Interval | None = Field(description="bootstrap, by person; null where it does not vary")
    per_class: dict[str, ClassScores] = Field(description="by class")
    roc_auc: float | None = Field(description="of the positive class, or the mean of one class against the rest")
    roc_auc_interval: Interval | None = Field(description="bootstrap, by person; null where it does not vary")
    average_precision: float | None = Field(description="as roc_auc")
    areas_reason: str | None = Field(description="why there is no roc_auc")
    true_accepts: list[OperatingPoint] | None = Field(description="of a binary task")
    calibration: Calibration = Field(description="whether probabilities mean what they say")
    confusion_matrix: list[list[int]] = Field(description="pictures; rows the truth, columns the prediction")
    confusion_matrix_zscore: list[list[float]] = Field(description="each cell standardised across the whole matrix")
    false_positives: int | dict[str, int] = Field(description="of the positive class, or by class")
    false_negatives: int | dict[str, int] = Field(description="of the positive class, or by class")
    by_group: dict[str, dict[str, GroupScores]] = Field(
        description="by column of the index (light, occlusion, faces_found), value; of faces_found `none` alone"
    )

    @property
    def guessing(self) -> float:
        """The balanced accuracy of guessing, 0..1: one by the number of classes that have pictures."""
        return 1 / sum(values.support > 0 for values in self.per_class.values())

    @property
    def above_guessing(self) -> bool:
        """Whether the interval of balanced accuracy shows that more than guessing was learned."""
        return self.balanced_accuracy_interval[0] > self.guessing


class _Identity(Contract):
    reason: None = Field(description="null: there are scores")
    task: str = Field(description="name in params.yaml")
    variant: str = Field(description="name in params.yaml")
    seed: int = Field(description="of the training")
    classes: list[str] = Field(description="in the order of the networks' outputs")
    positive: str | None = Field(description="the label of the target person in a binary task")
    pictures: int = Field(description="validation pictures")
    epoch: KeptEpoch = Field(description="the epoch that is scored")
    weights: str = Field(description="where the initial weights come from")


class Scores(SplitScores, _Identity):
    """metrics/<task>/<variant>/<seed>/scores.json"""

    generalization_gap: float = Field(description="train accuracy minus validation accuracy")
    epochs_to: dict[str, int | None] = Field(description='first epoch at 90 %, 95 % and the "final" accuracy')
    parameters: ParameterCounts = Field(description="of the network")
    train: TrainScores = Field(description="on the training pictures")
    settings: dict[str, Any] = Field(description="the variant's recipe, epochs and picture size")
    test: SplitScores | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="on the test pictures, where split.test is set",
    )
