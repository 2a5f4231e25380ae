"""What a trained model predicts of packed pictures, as they are and corrupted, and its scores."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn

from facestudy.contracts import corruptions
from facestudy.contracts.scores import KeptEpoch, ParameterCounts, Scores, SplitScores, TrainScores
from facestudy.errors import StudyError
from facestudy.evaluation.calibration import log_loss
from facestudy.evaluation.corruptions import KINDS, corrupt
from facestudy.evaluation.robustness import by_group, outcome
from facestudy.evaluation.scores import epochs_to, score
from facestudy.models.metadata import CheckpointMetadata
from facestudy.models.packed import Packed
from facestudy.models.pictures import Pictures
from facestudy.models.prediction import predict
from facestudy.project.persons import person_groups

# Of predictions.csv, before p_<class>, each class's probability.
COLUMNS = ["file", "split", "person_group", "truth", "prediction"]


@dataclass(frozen=True)
class Model:
    """A trained network, where it runs, its checkpoint's metadata, and the `person_group_numbers` of its pictures."""

    fabric: Fabric
    network: nn.Module
    metadata: CheckpointMetadata
    person_groups: "pd.Series[int]"

    def predictions(self, packed: Packed) -> pd.DataFrame:
        """Rows as in predictions.csv, also of the training pictures, which play their part without augmentation."""
        names, layout = np.array(self.metadata.classes), self.metadata.recipe.layout
        tables = []
        for split in ("train", "validation", "test"):
            rows, labels, files = packed.part(split, self.metadata.classes)
            if files:
                pictures = Pictures(packed.images, labels, self.fabric.device, rows=rows, layout=layout)
                probabilities = self._logits(pictures, split).cpu().double().softmax(dim=1).numpy()
                persons = np.asarray(self.person_groups[files], dtype=np.int64)
                columns = (files, split, persons, names[labels.numpy()], names[probabilities.argmax(axis=1)])
                table = pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))
                tables.append(table.join(pd.DataFrame(probabilities, columns=[f"p_{name}" for name in names])))
        return pd.concat(tables)

    def outcomes(self, packed: Packed, strengths: Sequence[int], seed: int) -> pd.DataFrame:
        """corruptions.csv: a row per kind and strength, of corrupted validation pictures, in the fabric's precision.

        `seed` is the study's, so that all models, whatever their own seed, get the same pictures.
        """
        classes, positive = self.metadata.classes, self.metadata.positive
        positive_index = None if positive is None else classes.index(positive)
        rows, labels, files = packed.part("validation", classes)
        persons = np.asarray(self.person_groups[files], dtype=np.int64)
        table = []
        for kind in KINDS:
            for strength in strengths:
                images = corrupt(packed.images[rows], kind, strength, seed)
                pictures = Pictures(images, labels, self.fabric.device, layout=self.metadata.recipe.layout)
                # In the precision of the fabric, for there are many, and no other number counts them.
                with self.fabric.autocast():
                    predicted = self._logits(pictures, f"validation ({kind}, {strength})").argmax(dim=1).cpu().numpy()
                results = outcome(labels.numpy(), predicted, positive_index, persons)
                table.append({"kind": kind, "strength": strength, **results})
        return pd.DataFrame(table, columns=list(corruptions.COLUMNS))

    def _logits(self, pictures: Pictures, what: str) -> Tensor:
        """Logits (N, K). Raises StudyError where one is not finite, for the class would be anything."""
        logits = predict(self.fabric, self.network, pictures)
        broken = int((~logits.isfinite()).any(dim=1).sum())
        if broken:
            of = self.metadata
            raise StudyError(
                f"the model {of.task} {of.variant} {of.seed} gives NaN or infinite values for {broken} of {len(logits)}"
                f" {what} pictures: its training diverged; lower variants.{of.variant}.lr and run `dvc repro`"
            )
        return logits


def person_group_numbers(index: pd.DataFrame, positive: str | None) -> "pd.Series[int]":
    """Number of each picture's group, by file: its person, or itself, as `person_groups` says.

    `index` is that of the packed pictures with a column `person`, "" for an unknown one. Numbers, because the tables
    that hold them are shown to others, and names need not be.
    """
    return pd.Series(np.unique(person_groups(index, positive), return_inverse=True)[1], index=index["file"])


def scores_of(
    metadata: CheckpointMetadata, predictions: pd.DataFrame, index: pd.DataFrame, history: pd.DataFrame
) -> Scores:
    """scores.json: of the validation pictures, of test where there are any, and of train what the gap needs.

    `predictions` are those of `Model`, whose column `person_group` says what belongs together for the intervals;
    `index` is that of the packed pictures, for their light and occlusion.
    """
    classes = metadata.classes
    parts = {str(split): part for split, part in predictions.groupby("split", sort=False)}
    train = parts.pop("train")
    splits: dict[str, SplitScores] = {}
    for split, part in parts.items():
        persons = part["person_group"].to_numpy()
        scores = score(*_arrays(part, classes), classes, metadata.positive, persons, metadata.seed)
        pictures = index.set_index("file").loc[part["file"]]
        grouped = by_group(pictures, (part["truth"] == part["prediction"]).to_numpy(), persons)
        splits[split] = scores.model_copy(update={"by_group": grouped})
    validation = splits["validation"]
    accuracy = float((train["truth"] == train["prediction"]).mean())
    recipe = json.loads(json.dumps(metadata.recipe.model_dump(), sort_keys=True))  # in the order of the names
    return Scores(
        reason=None,
        **metadata.model_dump(include={"task", "variant", "seed", "classes", "positive", "weights"}),
        pictures=len(parts["validation"]),
        epoch=KeptEpoch(kept=metadata.kept, rule=metadata.rule),
        **dict(validation),
        generalization_gap=accuracy - validation.accuracy,
        epochs_to=epochs_to(history),
        parameters=ParameterCounts.model_validate(metadata.parameters),
        train=TrainScores(accuracy=accuracy, loss=log_loss(*_arrays(train, classes))),
        settings={**recipe, "epochs": metadata.epochs, "size": metadata.size},
        test=splits.get("test"),
    )


def _arrays(predictions: pd.DataFrame, classes: list[str]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """True classes (N,) as indices, and probabilities (N, K)."""
    truth = np.array([classes.index(label) for label in predictions["truth"]])
    return truth, predictions[[f"p_{name}" for name in classes]].to_numpy()
