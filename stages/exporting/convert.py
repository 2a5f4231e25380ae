"""A trained network as an ONNX file, and that file with whole numbers of eight bits in place of its weights."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantType, quant_pre_process, quantize_static
from torch import nn

from stages.exporting.model import BATCH, INPUT, OUTPUT, network_input


def to_onnx(network: nn.Module, about: Mapping[str, Any]) -> onnx.ModelProto:
    """A network in evaluation mode, on the CPU, as an ONNX model for any number of pictures."""
    pictures = torch.zeros(2, 3, about["size"], about["size"])
    # An ONNX convolution knows one order of values in memory.
    program = torch.onnx.export(
        network.to(memory_format=torch.contiguous_format),
        (pictures,),
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    return described(program.model_proto, about)


def described(model: onnx.ModelProto, about: Mapping[str, Any]) -> onnx.ModelProto:
    """The model with its metadata, and without the exporter's traces, which hold paths of this machine."""
    for each in (*model.graph.node, *model.graph.value_info, model.graph):
        each.ClearField("metadata_props")
        each.ClearField("doc_string")
    model.ClearField("metadata_props")
    onnx.helper.set_model_props(model, {"about": json.dumps(dict(about), sort_keys=True, ensure_ascii=False)})
    return model


def to_int8(model: onnx.ModelProto, faces: NDArray[np.uint8], about: Mapping[str, Any]) -> onnx.ModelProto:
    """The model with weights, channel by channel, and activations in eight bits (ONNX Runtime's static form).

    The activations' ranges are those that these faces, uint8 (N, size, size, 3), give rise to.
    """
    with TemporaryDirectory(prefix="int8-") as folder:
        plain, prepared, small = (Path(folder) / f"{name}.onnx" for name in ("plain", "prepared", "small"))
        onnx.save(model, plain)
        quant_pre_process(plain, prepared, skip_symbolic_shape=True)
        # A batch normalisation that no convolution takes in has nothing to gain, and no channels to part.
        kept = [node.name for node in onnx.load(prepared).graph.node if node.op_type == "BatchNormalization"]
        # Processors multiply unsigned activations by signed weights: both signed takes twice the time and more.
        kinds = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8}
        quantize_static(prepared, small, _Reader(faces, about), per_channel=True, nodes_to_exclude=kept, **kinds)
        return described(onnx.load(small), about)


def without_network(about: Mapping[str, Any]) -> onnx.ModelProto:
    """What stands in place of a model that was not trained: its metadata alone."""
    return described(onnx.helper.make_model(onnx.helper.make_graph([], "none", [], [])), about)


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, faces: NDArray[np.uint8], about: Mapping[str, Any]) -> None:
        self._parts: Iterator[NDArray[np.uint8]] = (
            faces[start : start + BATCH] for start in range(0, len(faces), BATCH)
        )
        self._about = dict(about)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """The next faces, or None after the last."""
        part = next(self._parts, None)
        return None if part is None else {INPUT: network_input(part, self._about)}
