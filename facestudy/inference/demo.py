"""`facestudy demo`: the page of demo_page.py, with all that it stores in a folder that goes with it."""

import os
import sys
import tempfile

from facestudy.inference.private_folder import private_folder


def demo(port: int) -> None:
    """Serve the page until it is interrupted."""
    with private_folder() as folder:
        os.environ["GRADIO_TEMP_DIR"] = tempfile.tempdir = str(folder)
        try:
            from facestudy.inference.demo_page import serve  # noqa: PLC0415 (gradio reads both when it is imported)
        except ModuleNotFoundError as error:
            if str(error.name).startswith("facestudy"):
                raise
            sys.exit(f"error: {error.name} is not installed; run `pip install --no-deps -r requirements-demo.txt`")
        serve(port)
