"""Weights of an architecture that trainings start from, whichever way they come.

In: data/prepared/pretrain/ (for `pretrain`), weights.source and the architecture's settings.
Out: data/weights/<arch>.safetensors, whose metadata say where the weights come from.
"""

from facestudy.models import checkpoints
from facestudy.models.device import fabric_for
from facestudy.models.metadata import EmptyMetadata, WeightsMetadata
from facestudy.models.packed import Packed
from facestudy.project import parameters, paths
from facestudy.stage import run
from facestudy.weights import imagenet, own_file
from facestudy.weights.pretraining import pretrain

PICTURES = {"drawn": "drawn faces", "photo": "photos of a folder"}  # by what the index calls them
MEASURES = {"person": "same person or not, area under the ROC curve", "emotion": "emotion, accuracy"}


def weights(arch: str) -> None:
    """Write the weights, or raise StudyError; without a round of pretraining, a file that says so."""
    settings = parameters.read()
    source, architecture = settings.weights.source, settings.weights.architectures[arch]
    if source == "imagenet":
        tensors, origin = imagenet.download(arch, architecture.imagenet)
    elif source == "file":
        tensors, origin = own_file.load(arch, architecture.file)
    elif architecture.rounds:
        pretraining = settings.weights.pretrain
        packed = Packed.read(paths.prepared(paths.PRETRAIN_PEOPLE))
        fabric = fabric_for(pretraining.precision)
        tensors, reached = pretrain(fabric, arch, packed, pretraining, architecture.rounds, settings.seed)
        counts = packed.index["origin"].value_counts()
        pictures = " and ".join(f"{counts[origin]} {name}" for origin, name in PICTURES.items() if origin in counts)
        people = packed.index.loc[packed.index["person"] != "", "person"].nunique()
        rounds = ", then ".join(f"{each.epochs} epochs at {each.size} px" for each in architecture.rounds)
        measured = " and ".join(f"{MEASURES[kind]} {share:.1%}" for kind, share in reached.items())
        origin = (
            f"pretrained here on {pictures} of {people} people ({rounds}); on people held out: {measured or 'none'}"
        )
    else:
        reason = f"weights.architectures.{arch}.rounds is empty: not pretrained"
        print(f"{arch}: {reason}")
        checkpoints.save(paths.weights(arch), {}, EmptyMetadata(reason=reason))
        return
    print(f"{arch}: {origin}")
    checkpoints.save(paths.weights(arch), tensors, WeightsMetadata(arch=arch, origin=origin))


if __name__ == "__main__":
    run(weights)
