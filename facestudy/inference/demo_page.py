"""The page of `facestudy demo`, to try the models on: every face of a photo, each model's answer, and where it looked.

Works on what `dvc repro` made. The page is bound to this machine, and its security policy lets a browser load and
send nothing elsewhere.
"""

import html
import io
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read on import
os.environ["HF_HUB_OFFLINE"] = "1"

import gradio
import numpy as np
import pandas as pd
import torch
import uvicorn
from fastapi import FastAPI, Request, Response
from PIL import Image
from torch import nn

from facestudy.contracts.study import Study
from facestudy.exports.exported import Exported
from facestudy.inference.answers import NO_FACE, SEVERAL_FACES, AnsweredFace, answer, load_models
from facestudy.inference.boxes import boxed, caption
from facestudy.mistakes.pictures import crops_and_heat
from facestudy.models import checkpoints
from facestudy.models.metadata import CheckpointMetadata
from facestudy.models.packed import Packed
from facestudy.models.trained import trained
from facestudy.project import paths

POLICY = (
    "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; form-action 'self'; base-uri 'self'"
)
FACES = {NO_FACE: "No face was found in this photo.", SEVERAL_FACES: "Several faces were found in this photo."}
Gallery = list[tuple[Image.Image, str]]  # pictures, each with a caption


class Models:
    """All models of the study: as exported, for the answers, and as trained, for where they look."""

    def __init__(self) -> None:
        self._study = Study.read()
        self._exported = load_models([], list(self._study.variants), "onnx")
        self._trained = [_trained(model) for model in self._exported]

    def try_on(self, path: str | None) -> tuple[Any, list[list[str]], Gallery, str]:
        """The photo with boxes, a table of answers, heat maps with a caption each, and a message."""
        if path is None:
            return None, [], [], ""
        photo = next(answer([Path(path)], self._exported))
        if photo.problem:
            raise gradio.Error(f"This file cannot be read: {photo.problem}", print_exception=False)
        numbers = [str(number) for number in range(1, len(photo.faces) + 1)]
        picture = boxed(photo, self._exported[0].metadata.max_megapixels, numbers)
        if not photo.faces:
            return picture, [], [], FACES[NO_FACE]
        rows: list[list[str]] = []
        maps: Gallery = []
        by_model = self._heat_maps(photo.faces)
        for index, (number, face) in enumerate(zip(numbers, photo.faces, strict=True)):
            for each, heat in zip(face.answers, by_model, strict=True):
                title, text = self._study.title(each.variant), caption(each)
                rows.append([number, self._study.task(each.task).title, title, text])
                maps.append((heat[index], f"face {number}, {title}: {text}"))
        whole = photo.faces[0].whole
        return picture, rows, maps, f"{FACES[whole]} The answers are for the whole photo." if whole else ""

    def mistakes(self) -> dict[str, Path]:
        """The pages of mistakes of this study's models, and not of earlier tasks and variants, by the model's name."""
        files = {f"{task}/{each.name}": paths.mistakes(task) / f"{each.name}.html" for task, each in self._models()}
        return {name: file for name, file in files.items() if file.exists()}

    def curves(self) -> list[tuple[str, str]]:
        """The figures of this study's tasks and models, each with its caption."""
        figures = []
        for task in self._study.tasks:
            title = self._study.task(task).title
            figures += [(paths.comparison(task), title), (paths.corruptions(task), f"{title}, corrupted pictures")]
        figures += [(folder / "curves.png", f"{task}, {folder.name}") for task, folder in self._models()]
        return [(str(file), caption) for file, caption in figures if file.exists()]

    def _models(self) -> Iterator[tuple[str, Path]]:
        """Task and folder of figures of each model; the folder has the model's name."""
        study = self._study
        for task, variant, seed in product(study.tasks, study.variants, study.seeds):
            yield task, paths.model_figures(task, variant, seed)

    def _heat_maps(self, faces: list[AnsweredFace]) -> list[list[Image.Image]]:
        """Each model's Grad-CAM of its answer to each face; the face alone where the network has no map to show."""
        names = list(map(str, range(len(faces))))
        packed = Packed(np.stack([face.crop for face in faces]), pd.DataFrame({"file": names}))
        maps = []
        for index, (network, metadata) in enumerate(self._trained):
            labels = [face.answers[index].label for face in faces]
            pngs = crops_and_heat(network, metadata, packed, names, labels)
            shown = [pngs.get(f"{name}-heat", pngs[f"{name}-crop"]) for name in names]
            maps.append([Image.open(io.BytesIO(png)).convert("RGB") for png in shown])
        return maps


def _trained(model: Exported) -> tuple[nn.Module, CheckpointMetadata]:
    of = model.metadata
    state, metadata = checkpoints.load(paths.checkpoint(of.task, of.variant, of.seed), CheckpointMetadata)
    assert isinstance(metadata, CheckpointMetadata)  # load_models passes over a task without labels
    return trained(state, metadata, torch.device("cpu")), metadata


def page_of(models: Models) -> gradio.Blocks:
    """The page's three parts: try it, mistakes, curves."""
    with gradio.Blocks(title="Face classifiers", analytics_enabled=False) as blocks:
        gradio.Markdown("# Face classifiers\nNothing leaves this machine.")
        with gradio.Tab("Try it"):
            with gradio.Row():
                photo = gradio.Image(sources=["upload", "webcam"], label="Your photo")
                # Gradio's own reading ends in a traceback where a file is broken; here it becomes a message (a class
                # of our own would make Gradio write a file beside this one).
                photo.preprocess = lambda payload: payload.path if payload else None  # type: ignore[method-assign]
                boxes = gradio.Image(label="Faces found", interactive=False, format="png", buttons=["fullscreen"])
            message = gradio.Markdown()
            columns = ["face", "task", "variant", "answer"]
            table = gradio.Dataframe(headers=columns, label="Answers", interactive=False, elem_id="answers")
            maps = gradio.Gallery(label="Where each model looked (Grad-CAM)", columns=3, height=640, elem_id="maps")
            outputs = [boxes, table, maps, message]
            photo.change(models.try_on, photo, outputs, api_visibility="private", concurrency_limit=1)
        with gradio.Tab("Mistakes"):
            pages = models.mistakes()
            choice = gradio.Dropdown(list(pages), label="Model", value=next(iter(pages), None))
            gallery = gradio.HTML(_framed(pages, choice.value))
            choice.change(lambda name: _framed(pages, name), choice, gallery, api_visibility="private")
        with gradio.Tab("Curves"):
            gradio.Gallery(models.curves(), columns=2, object_fit="contain", label="Curves")
    assert isinstance(blocks, gradio.Blocks)
    return blocks


def _framed(pages: dict[str, Path], name: str | None) -> str:
    if name is None:
        return "No page of mistakes; run `dvc repro`."
    text = html.escape(pages[name].read_text(encoding="utf-8"), quote=True)
    return f'<iframe title="mistakes" style="width: 100%; height: 75vh; border: 0" srcdoc="{text}"></iframe>'


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


def serve(port: int) -> None:
    """Serve the page until it is interrupted."""
    for ending in (signal.SIGTERM, signal.SIGHUP):  # Python's own end on these would leave the folder behind
        signal.signal(ending, lambda number, _: sys.exit(128 + number))
    app = application()
    print(f"http://127.0.0.1:{port} (Ctrl-C ends it)", flush=True)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")
