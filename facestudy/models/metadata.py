"""What the safetensors files of a study say of themselves, and what a training measures of itself."""

from typing import Literal

from pydantic import Field

from facestudy.project.files import Contract
from facestudy.project.sections import Recipe

FORMAT: Literal[1] = 1  # of the metadata below; a file without it is of an older version


class Versioned(Contract):
    """What every such file says of itself."""

    format: Literal[1] = Field(default=FORMAT, description="version of these metadata")


class EmptyMetadata(Versioned):
    """Of a file without tensors: of a task without labels, or of an architecture that is not pretrained."""

    reason: str = Field(description="why there are none")


class WeightsMetadata(Versioned):
    """data/weights/<arch>.safetensors and data/initial_weights/<variant>.safetensors"""

    arch: str = Field(description="torchvision's name of the network")
    origin: str = Field(description="where the weights come from, in words")


class CheckpointMetadata(Versioned):
    """data/checkpoints/<task>/<variant>/<seed>.safetensors, whose tensors are the network's state dict"""

    task: str = Field(description="name in params.yaml")
    variant: str = Field(description="name in params.yaml")
    seed: int = Field(description="of the training")
    classes: list[str] = Field(description="in the order of the outputs")
    positive: str | None = Field(description="the label of the target person in a binary task")
    weights: str = Field(description="where the initial weights come from, in words")
    recipe: Recipe = Field(description="the variant's recipe in params.yaml")
    epochs: int = Field(description="of the training")
    rule: Literal["last", "best"] = Field(description="training.epoch")
    size: int = Field(description="side of the pictures, pixels")
    mean: tuple[float, float, float] = Field(description="of R, G, B in 0..1, subtracted from a picture")
    std: tuple[float, float, float] = Field(description="of R, G, B, divided by")
    parameters: dict[str, int] = Field(description="number of parameters, trainable and total")
    run_id: str = Field(description="of the run in W&B")
    kept: int = Field(description="the epoch whose weights these are")


class HistogramMetadata(Versioned):
    """data/histograms/<task>/<variant>/<seed>.safetensors: counts and edges of gradients and parameters by epoch"""

    parameters: list[str] = Field(description="names of the trained parameters, in the order of the tensors' columns")


class TrainingTiming(Contract):
    """timings/<task>/<variant>/<seed>/train.json"""

    seconds: float = Field(description="of the training, the pass through frozen layers included")
    pictures_per_second: float = Field(description="training pictures")
    peak_memory_mb: float = Field(description="of the GPU by torch, else of the process, MB")
    device: str = Field(description="name of the GPU, or cpu")
    threads: int = Field(description="of torch")
    processes: int = Field(description="that share the training")
