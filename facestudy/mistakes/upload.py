"""What goes to W&B where the environment says so, for faces leave the machine: mistakes with pictures, and models.

It is an environment variable and no parameter, for no result depends on it.
"""

import hashlib
import io
import os
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from PIL import Image

from facestudy.models import checkpoints
from facestudy.models.metadata import CheckpointMetadata, EmptyMetadata
from facestudy.project import paths
from facestudy.tracking import Run, guarded

VARIABLE = "STUDY_WANDB_MEDIA"
COLUMNS = ["file", "truth", "prediction", "probability"]
PICTURES = ["crop", "heat"]


def wanted() -> bool:
    """Whether STUDY_WANDB_MEDIA is 1."""
    return os.environ.get(VARIABLE) == "1"


def upload(checkpoint: Path, shown: pd.DataFrame, pictures: Mapping[str, bytes]) -> None:
    """Log the mistakes and the model to the model's own run; nothing where the checkpoint holds no model.

    `shown` has the rows of `validation_errors` that are on the model's page, `pictures` its PNG bytes by name.
    """
    _, metadata = checkpoints.describe(checkpoint, CheckpointMetadata)
    if isinstance(metadata, EmptyMetadata):
        return
    # Else W&B's copies of faces and models lie below the user's home, where nobody deletes them.
    os.environ["WANDB_DATA_DIR"] = os.environ["WANDB_CACHE_DIR"] = str(_local().absolute())
    run = _MediaRun(metadata.run_id, metadata.task, metadata.variant, {}, stage="mistakes")
    run.mistakes(metadata, shown, pictures)
    run.model(checkpoint, metadata)
    run.close()


class _MediaRun(Run):
    @guarded
    def mistakes(self, metadata: CheckpointMetadata, shown: pd.DataFrame, pictures: Mapping[str, bytes]) -> None:
        """Log a table of the mistakes, a picture in a cell; evaluate logged the step before."""
        if self._run.disabled:
            return
        print(
            f"{VARIABLE}=1: faces leave this machine: {metadata.task}, {metadata.variant}: {len(shown)} mistakes with "
            f"crops and heat maps, and the model, go to W&B{' at the next `wandb sync`' if self._run.offline else ''}; "
            f"{_local()} has copies, until you delete it"
        )

        def picture(name: str) -> object:
            return self._wandb.Image(Image.open(io.BytesIO(pictures[name]))) if name in pictures else None

        rows = [[*row, *(picture(f"{row[0]}-{kind}") for kind in PICTURES)] for row in shown[COLUMNS].to_numpy()]
        self._run.log({"mistakes": self._wandb.Table([*COLUMNS, *PICTURES], rows)}, step=metadata.epochs + 2)

    @guarded
    def model(self, checkpoint: Path, metadata: CheckpointMetadata) -> None:
        """Log the checkpoint as an artifact, made from a data set of which W&B gets the hashes alone."""
        if self._run.disabled:
            return
        prepared = {path.name: _md5(path) for path in sorted(paths.prepared(metadata.task).iterdir())}
        if not self._run.offline:  # W&B offline logs artifacts, but records none as used
            data = self._wandb.Artifact(f"{metadata.task}-pictures", "dataset", metadata=prepared)
            with data.new_file("md5.txt") as file:  # what tells one version from another
                file.write("".join(f"{digest}  {name}\n" for name, digest in prepared.items()))
            self._run.use_artifact(data)
        name = f"{metadata.task}-{metadata.variant}-{metadata.seed}"
        model = self._wandb.Artifact(name, "model", metadata=metadata.model_dump() | {"pictures": prepared})
        model.add_file(str(checkpoint), skip_cache=True)
        self._run.log_artifact(model)


def _local() -> Path:
    """Where W&B writes the files of its runs."""
    return Path(os.environ.get("WANDB_DIR", "."), "wandb")


def _md5(path: Path) -> str:
    """By which DVC's cache names the file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()
