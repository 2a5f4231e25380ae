"""Models as ONNX."""

import os

# ONNX Runtime sends events to its maker, under an identifier that it keeps in the home folder, unless this is set
# before it is loaded (its Privacy.md). Nothing leaves a machine here.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
