"""Pages of the mistakes of a task's models: the most confident, and for several classes those most often confused.

In: data/prepared/<task>/, the checkpoints of the task's models, metrics/<task>/<variant>/<seed>/predictions.csv, and
the study's names (data/study.json).
Out: plots/mistakes/<task>/<variant>_<seed>.html, with the pictures inside it; in DVC's cache, not in Git. One process
for all models of a task, for its start takes longer than their pages. Under STUDY_WANDB_MEDIA=1, the mistakes with
their pictures, and the models, go to W&B too.
"""

from collections.abc import Callable
from functools import partial

import pandas as pd

from facestudy.contracts.predictions import validation_errors
from facestudy.contracts.study import Study
from facestudy.errors import StudyError
from facestudy.mistakes.gallery import gallery, grouped
from facestudy.mistakes.pictures import crops_and_heat
from facestudy.mistakes.upload import upload, wanted
from facestudy.models import checkpoints
from facestudy.models.device import fabric_for
from facestudy.models.metadata import CheckpointMetadata, EmptyMetadata
from facestudy.models.packed import Packed
from facestudy.models.trained import trained
from facestudy.pages.page import page
from facestudy.project import paths
from facestudy.project.files import whole_folder
from facestudy.project.tables import read_csv
from facestudy.stage import run


def mistakes(task: str) -> None:
    """Write a page for each model of the task; StudyError where a model's files are missing."""
    study = Study.read()
    title = study.task(task).title
    uploads: list[Callable[[], None]] = []
    with whole_folder(paths.mistakes(task)) as folder:
        for variant, name in study.variants.items():
            for seed in study.seeds:
                errors = validation_errors(read_csv(paths.model_metrics(task, variant, seed) / "predictions.csv"))
                groups = grouped(errors)
                shown = pd.concat(groups.values()).drop_duplicates("file")
                pictures = _pictures(task, variant, seed, shown) if len(shown) else {}
                # Without an error the page says so, and so it does without a picture.
                text = gallery(f"{title}, {name}, seed {seed}", errors, groups, pictures)
                (folder / f"{variant}_{seed}.html").write_text(page(text, pictures), encoding="utf-8")
                if wanted():
                    uploads.append(partial(upload, paths.checkpoint(task, variant, seed), shown, pictures))
    for each in uploads:  # when the pages are written, so that nothing that W&B does keeps them from it
        each()


def _pictures(task: str, variant: str, seed: int, shown: pd.DataFrame) -> dict[str, bytes]:
    path = paths.checkpoint(task, variant, seed)
    state, metadata = checkpoints.load(path, CheckpointMetadata)
    if isinstance(metadata, EmptyMetadata):
        raise StudyError(
            f"{path} holds no model ({metadata.reason}), though predictions.csv has errors; run `dvc repro`"
        )
    network = trained(state, metadata, fabric_for("32-true").device)
    packed = Packed.read(paths.prepared(task))
    return crops_and_heat(network, metadata, packed, list(shown["file"]), list(shown["prediction"]))


if __name__ == "__main__":
    run(mistakes)
