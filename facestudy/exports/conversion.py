"""A trained network as an ONNX file, and that file with whole numbers of eight bits in place of its weights."""

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before ONNX Runtime is imported, as in exported.py

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnxruntime import GraphOptimizationLevel, InferenceSession, SessionOptions
from onnxruntime.quantization import (
    CalibrationDataReader,
    MinMaxCalibrater,
    QuantType,
    quant_pre_process,
    quantize_static,
    save_tensors_data,
)
from torch import nn

from facestudy.contracts.exports import ExportedMetadata
from facestudy.exports.exported import BATCH, INPUT, METADATA, OUTPUT, network_input
from facestudy.models.metadata import EmptyMetadata
from facestudy.project.files import whole_file


def to_onnx(network: nn.Module, metadata: ExportedMetadata) -> onnx.ModelProto:
    """A network in evaluation mode, on the CPU, as an ONNX model for any number of pictures."""
    program = torch.onnx.export(
        network.to(memory_format=torch.contiguous_format),  # an ONNX convolution knows one order of values in memory
        (torch.zeros(2, 3, metadata.size, metadata.size),),
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    return described(program.model_proto, metadata)


def to_int8(model: onnx.ModelProto, faces: NDArray[np.uint8], metadata: ExportedMetadata) -> onnx.ModelProto:
    """The model with weights, channel by channel, and activations in eight bits (ONNX Runtime's static form).

    The activations' ranges are those that these faces, uint8 (N, size, size, 3), give rise to.
    """
    with TemporaryDirectory(prefix="int8-") as folder:
        plain, prepared, measured, small = (
            Path(folder) / f"{name}.onnx" for name in ("plain", "prepared", "measured", "small")
        )
        onnx.save(model, plain)
        quant_pre_process(plain, prepared, skip_symbolic_shape=True)
        # A batch normalisation that no convolution takes in has nothing to gain, and no channels to part.
        unchanged = [node.name for node in onnx.load(prepared).graph.node if node.op_type == "BatchNormalization"]
        # Processors multiply unsigned activations by signed weights: both signed takes twice the time and more.
        types = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8}
        calibrater = _Calibrater(prepared, augmented_model_path=str(measured))
        calibrater.augment_graph()
        calibrater.create_inference_session()
        calibrater.collect_data(_Batches(faces, metadata))
        ranges = Path(folder) / "ranges.json"
        save_tensors_data(calibrater.compute_data(), ranges)
        options = {"per_channel": True, "nodes_to_exclude": unchanged, "calibration_cache_path": ranges}
        quantize_static(prepared, small, **options, **types)
        return described(onnx.load(small), metadata)


def without_network(metadata: EmptyMetadata) -> onnx.ModelProto:
    """What stands in place of a model that was not trained: the reason alone."""
    return described(onnx.helper.make_model(onnx.helper.make_graph([], "none", [], [])), metadata)


def described(model: onnx.ModelProto, metadata: ExportedMetadata | EmptyMetadata) -> onnx.ModelProto:
    """The model with its metadata, and without the exporter's traces, which hold paths of this machine."""
    for part in (*model.graph.node, *model.graph.value_info, model.graph):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    model.ClearField("metadata_props")
    text = json.dumps(metadata.model_dump(), sort_keys=True, ensure_ascii=False)
    onnx.helper.set_model_props(model, {METADATA: text})
    return model


def save(model: onnx.ModelProto, target: Path) -> None:
    """Write the file, whole or not at all; the same bytes for the same model."""
    with whole_file(target) as temporary:
        temporary.write_bytes(model.SerializeToString(deterministic=True))


class _Calibrater(MinMaxCalibrater):  # type: ignore[misc]
    """On torch's number of threads; the one that `quantize_static` makes takes every core of the machine."""

    def create_inference_session(self) -> None:
        options = SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.graph_optimization_level = GraphOptimizationLevel.ORT_DISABLE_ALL  # as in the class above
        self.infer_session = InferenceSession(self.augmented_model_path, options, self.execution_providers)


class _Batches(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, faces: NDArray[np.uint8], metadata: ExportedMetadata) -> None:
        self._inputs = (
            {INPUT: network_input(faces[start : start + BATCH], metadata)} for start in range(0, len(faces), BATCH)
        )

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """The next faces, or None after the last."""
        return next(self._inputs, None)
