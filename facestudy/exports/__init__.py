"""Models as ONNX files: converted from torch, and run without it.

Called by stages/export.py and facestudy/inference.
"""
