"""Settle where the training of a variant starts from.

In: data/weights/<arch>.safetensors. Out: data/starts/<variant>.safetensors, the same file for
`weights: pretrained`, one without tensors for `random`, so that a variant that starts from random
weights is not trained again when the weights change.
"""

import shutil
import sys

from stages import paths
from stages.errors import StudyError, main
from stages.params import read
from stages.training import checkpoints
from stages.writing import whole_file


def start(variant: str) -> None:
    """Write the starting weights; raises StudyError where a pretrained start has no weights to take."""
    arch, weights = read(f"variants.{variant}.arch", f"variants.{variant}.weights")
    source, target = paths.weights(arch), paths.start(variant)
    if weights == "random":
        checkpoints.save(target, {}, {"origin": "random weights"})
        return
    names, about = checkpoints.describe(source)
    if not names:
        raise StudyError(
            f"variants.{variant}.weights is `pretrained`, but {source} holds no weights ({about['origin']}); "
            f"give weights.architectures.{arch}.rounds at least one round, or set weights: random"
        )
    with whole_file(target) as temporary:
        shutil.copyfile(source, temporary)


if __name__ == "__main__":
    main(start, *sys.argv[1:])
