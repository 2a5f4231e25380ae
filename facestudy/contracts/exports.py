"""What an exported model says of itself, and how it compares with the network it was made from."""

from typing import Literal

from pydantic import Field

from facestudy.project.files import Contract
from facestudy.project.sections import Preprocess

FORMAT: Literal[2] = 2  # of the metadata below; a file without it is of an older version


class ExportedMetadata(Contract):
    """Metadata of an .onnx file, under the key `metadata`: all that turns a photo into its input."""

    format: Literal[2] = Field(default=FORMAT, description="version of these metadata")
    task: str = Field(description="name in params.yaml")
    variant: str = Field(description="name in params.yaml")
    seed: int = Field(description="of the training")
    classes: list[str] = Field(description="in the order of the outputs")
    positive: str | None = Field(description="the label of the target person in a binary task")
    size: int = Field(description="side of the input, pixels")
    mean: tuple[float, float, float] = Field(description="of R, G, B in 0..1, subtracted")
    std: tuple[float, float, float] = Field(description="of R, G, B, divided by")
    temperature: float = Field(description="divides the logits; 1 where none is applied")
    validation_accuracy: float = Field(description="0..1")
    preprocess: Preprocess = Field(description="`preprocess` of params.yaml, with which the pictures were made")
    max_megapixels: float = Field(description="data.max_megapixels")


class ExportReport(Contract):
    """metrics/exports/<task>/<variant>/<seed>.json; the forms are torch, onnx and int8"""

    reason: None = Field(description="null: there is a model")
    pictures: int = Field(description="validation pictures")
    largest_probability_difference: float = Field(description="between ONNX Runtime and torch, 0..1")
    accuracy: dict[str, float] = Field(description="of each form on the validation pictures, 0..1")
    bytes: dict[str, int] = Field(description="size of each form's file")


class ExportTiming(Contract):
    """timings/<task>/<variant>/<seed>/export.json"""

    latency_ms: dict[str, float] = Field(description="of one face by each form, the median, milliseconds")
    threads: int = Field(description="of torch")


class Preparation(Contract):
    """data/prepared/<task>/settings.json: the parameters with which photos became these pictures"""

    preprocess: Preprocess = Field(description="`preprocess` of params.yaml")
    max_megapixels: float = Field(description="data.max_megapixels")
