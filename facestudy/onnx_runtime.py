"""ONNX Runtime, imported so that it tells its maker nothing."""

import os

# It sends events to its maker, under an identifier that it keeps in the home folder, unless this is set before it is
# imported (its Privacy.md). Nothing leaves a machine here.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

from onnxruntime import InferenceSession, SessionOptions
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, NoSuchFile

__all__ = ["NO_MODEL", "InferenceSession", "open_session"]

NO_MODEL = (Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, NoSuchFile)  # what `open_session` may raise
ERRORS_ALONE = 3  # severity of what it logs: not that a file holds more than its network needs


def open_session(model: str | bytes, threads: int = 0) -> InferenceSession:
    """A session on the CPU for a file or its bytes, on this many threads (0: one for each core).

    Several threads of Python may run it at once. Raises one of `NO_MODEL` for anything else.
    """
    options = SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = ERRORS_ALONE
    return InferenceSession(model, options, providers=["CPUExecutionProvider"])
