"""Describe the exported models of a variant, in the form that model hubs read.

In: the study's names (data/study.json), the counts of download.json and of metrics/<task>/, the metrics of the
variant's models and exports, the metadata of data/initial_weights/<variant>.safetensors, and, for their hashes,
data/raw/index.csv and the split.
Out: data/exported/<task>/<variant>/README.md, a page for the models of all seeds, which lie beside it.
"""

from facestudy.model_cards.card import Card
from facestudy.model_cards.licences import Origins
from facestudy.models import checkpoints
from facestudy.models.metadata import WeightsMetadata
from facestudy.project import parameters, paths
from facestudy.project.files import write_text
from facestudy.stage import run


def model_card(task: str, variant: str) -> None:
    """Write the card; where the task has no labels, it says so."""
    settings = parameters.read()
    source, git = settings.data.source, settings.data.git
    own, weights = settings.variants[variant].weights, settings.weights.source
    _, metadata = checkpoints.describe(paths.initial_weights(variant), WeightsMetadata)
    initial = metadata.origin if isinstance(metadata, WeightsMetadata) else metadata.reason
    origins = Origins(source, git, own, weights, settings.weights.pretrain.source, initial)
    write_text(paths.model_card(task, variant), Card.read(task, variant, origins, settings.seed).markdown())


if __name__ == "__main__":
    run(model_card)
