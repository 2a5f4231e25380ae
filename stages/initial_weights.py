"""Decide which weights the training of a variant starts from.

In: data/weights/<arch>.safetensors. Out: data/initial_weights/<variant>.safetensors, the same file for
`weights: pretrained`, one without tensors for `random`, so that a variant that starts from random
weights is not trained again when the weights change.
"""

import shutil

from facestudy.errors import StudyError
from facestudy.models import checkpoints
from facestudy.models.metadata import EmptyMetadata, WeightsMetadata
from facestudy.project import parameters, paths
from facestudy.project.files import whole_file
from facestudy.stage import run


def initial_weights(variant: str) -> None:
    """Write the initial weights; raises StudyError where a variant is to start from weights that there are none of."""
    settings = parameters.read()
    arch = settings.variants[variant].arch
    source, target = paths.weights(arch), paths.initial_weights(variant)
    if settings.variants[variant].weights == "random":
        checkpoints.save(target, {}, WeightsMetadata(arch=arch, origin="random weights"))
        return
    _, metadata = checkpoints.describe(source, WeightsMetadata)
    if isinstance(metadata, EmptyMetadata):
        raise StudyError(
            f"variants.{variant}.weights is `pretrained`, but {source} holds no weights ({metadata.reason}); "
            f"give weights.architectures.{arch}.rounds at least one round, or set weights: random"
        )
    with whole_file(target) as temporary:
        shutil.copyfile(source, temporary)


if __name__ == "__main__":
    run(initial_weights)
