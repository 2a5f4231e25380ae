"""A page to try the models on: every face of a photo, what each model says of it, and where it looked.

    python -m tools.demo [--port 7860]

Works on what `dvc repro` made. The page is bound to this machine, and its security policy lets a browser load and
send nothing elsewhere.
"""

import argparse
import html
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read on import
os.environ["HF_HUB_OFFLINE"] = "1"

import gradio
import numpy as np
import torch
import uvicorn
from fastapi import FastAPI, Request, Response
from gradio.data_classes import ImageData
from numpy.typing import NDArray

from stages import paths
from stages.errors import StudyError
from stages.errors import main as run
from stages.exporting.model import Exported, network_input
from stages.figures.results import read_json
from stages.mistakes import overlaid
from stages.predicting.answers import Found, answer, models
from stages.predicting.drawing import boxed, words
from stages.training import checkpoints
from stages.training.attribution import heat, map_layer
from stages.training.trained import trained

POLICY = (
    "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; form-action 'self'; base-uri 'self'"
)
NO_FACE = "No face was found in this photo. The detector knows faces seen from the front."
ENLARGED = 256  # side of a heat map on the page, pixels
Shown = list[tuple[NDArray[np.uint8], str]]


class Models:
    """All models of the study: as exported, for the answers, and as trained, for where they look."""

    def __init__(self) -> None:
        study = read_json(paths.STUDY)
        self.titles: dict[str, str] = study["variants"]
        self.exported = models([], list(self.titles), "onnx")
        if not self.exported:
            raise StudyError("no model was trained: no picture of the study has a label")
        self._networks = [self._network(model) for model in self.exported]

    @staticmethod
    def _network(model: Exported) -> torch.nn.Module:
        about = model.about
        state, trained_as = checkpoints.load(paths.checkpoint(about["task"], about["variant"], about["seed"]))
        return trained(state, trained_as, torch.device("cpu"))

    def try_on(self, path: str | None) -> tuple[Any, list[list[str]], Shown, str]:
        """The photo with boxes, a table of answers, heat maps with a caption each, and a message."""
        if path is None:
            return None, [], [], ""
        photo = next(answer([Path(path)], self.exported))
        if photo.problem:
            raise gradio.Error(f"This file cannot be read: {photo.problem}", print_exception=False)
        numbers = [str(number) for number in range(1, len(photo.faces) + 1)]
        picture = boxed(photo, self.exported[0].about["max_megapixels"], numbers)
        if not photo.faces:
            return picture, [], [], NO_FACE
        rows, maps = [], []
        for number, face in zip(numbers, photo.faces, strict=True):
            for place, said in enumerate(face.answers):
                rows.append([number, said.task, self.titles[said.variant], words(said)])
                maps.append((self._looked(place, face), f"face {number}, {self.titles[said.variant]}: {words(said)}"))
        return picture, rows, maps, ""

    def _looked(self, place: int, face: Found) -> NDArray[np.uint8]:
        """Grad-CAM of one model's answer over the face; the face alone where the network has no map to show."""
        about, network = self.exported[place].about, self._networks[place]
        inputs = torch.from_numpy(network_input(face.seen[None], about))
        layer = map_layer(network, inputs)
        named = torch.tensor([about["classes"].index(face.answers[place].label)])
        shown = face.seen if layer is None else overlaid(face.seen, heat(network, layer, inputs, named)[0])
        return np.kron(shown, np.ones((max(1, ENLARGED // len(shown)),) * 2 + (1,), np.uint8))


def _path(payload: ImageData | None) -> str | None:
    return None if payload is None else payload.path


def page_of(study: Models) -> gradio.Blocks:
    """The page's three parts: try it, mistakes, curves."""
    with gradio.Blocks(title="Face classifiers", analytics_enabled=False) as blocks:
        gradio.Markdown("# Face classifiers\nNothing leaves this machine.")
        with gradio.Tab("Try it"):
            with gradio.Row():
                photo = gradio.Image(sources=["upload", "webcam"], label="Your photo")
                # Gradio's own reading ends in a traceback where a file is broken; here it is told (a class of our own
                # would make Gradio write a file beside this one).
                photo.preprocess = _path  # type: ignore[method-assign]
                boxes = gradio.Image(label="Faces found", interactive=False, format="png", buttons=["fullscreen"])
            told = gradio.Markdown()
            table = gradio.Dataframe(
                headers=["face", "task", "variant", "answer"], label="Answers", interactive=False, elem_id="answers"
            )
            maps = gradio.Gallery(label="Where each model looked (Grad-CAM)", columns=3, height=640, elem_id="maps")
            photo.change(study.try_on, photo, [boxes, table, maps, told], api_visibility="private", concurrency_limit=1)
        with gradio.Tab("Mistakes"):
            pages = {file.relative_to(paths.PLOTS / "mistakes").with_suffix("").as_posix(): file for file in
                     sorted((paths.PLOTS / "mistakes").rglob("*.html"))}  # fmt: skip
            choice = gradio.Dropdown(list(pages), label="Model", value=next(iter(pages), None))
            gallery = gradio.HTML(_framed(pages, choice.value))
            choice.change(lambda name: _framed(pages, name), choice, gallery, api_visibility="private")
        with gradio.Tab("Curves"):
            figures = [*sorted((paths.PLOTS / "comparison").glob("*.png")), *sorted(paths.PLOTS.rglob("curves.png"))]
            gradio.Gallery(
                [(str(figure), _caption(figure)) for figure in figures], columns=2, object_fit="contain", label="Curves"
            )
    assert isinstance(blocks, gradio.Blocks)
    return blocks


def _framed(pages: dict[str, Path], name: str | None) -> str:
    if name is None:
        return "No page of mistakes; run `dvc repro`."
    text = html.escape(pages[name].read_text(encoding="utf-8"), quote=True)
    return f'<iframe title="mistakes" style="width: 100%; height: 75vh; border: 0" srcdoc="{text}"></iframe>'


def _caption(figure: Path) -> str:
    return figure.stem if figure.parent.name == "comparison" else f"{figure.parts[-3]}, {figure.parts[-2]}"


def application() -> FastAPI:
    """The page behind its security policy."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.middleware("http")
    async def confined(request: Request, proceed: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await proceed(request)
        response.headers["Content-Security-Policy"] = POLICY
        return response

    theme = gradio.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
    blocks = page_of(Models())
    gradio.mount_gradio_app(app, blocks, "/", allowed_paths=[str(paths.PLOTS.absolute())], theme=theme, footer_links=[])
    return app


def demo(port: int) -> None:
    """Serve the page until it is interrupted."""
    app = application()
    print(f"http://127.0.0.1:{port} (Ctrl-C ends it)", flush=True)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    parser = argparse.ArgumentParser("python -m tools.demo", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, default=7860)
    run(demo, parser.parse_args().port)
