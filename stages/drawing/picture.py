"""The picture: background, person, cover, then light and camera."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from stages.drawing import covers, features, hair, shading
from stages.drawing.canvas import FINER, Canvas, View, ink
from stages.drawing.expressions import Expression
from stages.drawing.people import Colour, Person
from stages.drawing.scenes import Scene


def draw(person: Person, face: Expression, scene: Scene, size: int) -> np.ndarray:
    """One picture, uint8 (size, size, 3) in RGB; the same arguments give the same pixels.

    About 10 ms at 128 pixels.
    """
    generator = np.random.default_rng(scene.seed)
    view = View(scene, person.head_width, size)
    canvas = Canvas(view, _background(generator, size * FINER))
    hair.draw_behind(canvas, person)
    features.draw_body(canvas, person, _colour(generator))
    features.draw_head(canvas, person, face)
    features.draw_marks(canvas, person, face, generator)
    features.draw_beard(canvas, person, face)
    features.draw_mouth(canvas, person, face)
    features.draw_nose(canvas, person)
    gaze = float(generator.normal(0.3 * scene.yaw, 0.09)), float(generator.normal(0, 0.04))
    features.draw_eyes(canvas, person, face, gaze)
    features.draw_brows(canvas, person, face)
    hair.draw_front(canvas, person, generator)
    if scene.occlusion == "sunglasses":
        covers.draw_sunglasses(canvas, person, generator)
    else:
        covers.draw_glasses(canvas, person)
    covered: list[np.ndarray] = []
    before = canvas.image.copy() if scene.occlusion in {"mask", "hand", "hair"} else None
    if scene.occlusion == "mask":
        covers.draw_mask(canvas, person, generator)
    elif scene.occlusion == "hand":
        covers.draw_hand(canvas, person, scene, generator)
    elif scene.occlusion == "hair":
        covers.draw_hair_across(canvas, person, scene, generator)
    colours = np.asarray(canvas.image.reduce(FINER), dtype=np.float32)
    head = _reduced(canvas.mask([features.head_outline(person, face)], surface=False))
    bare = head
    if before is not None:
        changed = np.abs(colours - np.asarray(before.reduce(FINER), dtype=np.float32)).max(axis=2) > 12
        bare = np.where(changed, 0, head)
        covered.append(changed)
    brightness, gloss = shading.light(view, person, face, bare)
    around = scene.ambient + (1 - scene.ambient) * 0.75
    x, _ = view.grid()
    # The room is lit from the same side, but less than what stands near the light.
    room = around * (1 + 0.22 * np.clip(x * scene.direction[0], -1.2, 1.2))
    near = _near(view, person)
    brightness = near * brightness + (1 - near) * room
    lit = colours * brightness[:, :, None] + 255 * gloss[:, :, None] * head[:, :, None]
    return _taken(lit, scene, generator)


def _near(view: View, person: Person) -> np.ndarray:
    """1 on the head with its hair, fading to 0 outside: there the head's round is what the light falls on."""
    x, y = view.grid()
    distance = np.sqrt((x / (person.head_width + 0.12)) ** 2 + (y / 1.18) ** 2)
    near: np.ndarray = np.clip((1.12 - distance) / 0.14, 0, 1)
    return near


def _taken(lit: np.ndarray, scene: Scene, generator: np.random.Generator) -> np.ndarray:
    """What the camera makes of light in 0..255: exposure with a soft shoulder, blur, noise."""
    tint = np.array([1 + scene.warmth, 1.0, 1 - scene.warmth], dtype=np.float32)
    exposed = lit * (scene.exposure * tint) / 255
    bent = np.where(exposed > 0.75, 0.75 + 0.25 * np.tanh((exposed - 0.75) / 0.25), exposed) * 255
    size = bent.shape[0]
    if scene.blur > 0:
        picture = Image.fromarray(np.clip(bent, 0, 255).astype(np.uint8))
        bent = np.asarray(picture.filter(ImageFilter.GaussianBlur(scene.blur * size)), dtype=np.float32)
    grain = generator.standard_normal((size, size), dtype=np.float32)[:, :, None]
    tinted = generator.standard_normal((size, size, 3), dtype=np.float32)
    noisy = bent + scene.noise * (0.8 * grain + 0.6 * tinted)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def _background(generator: np.random.Generator, side: int) -> Image.Image:
    """A wall with a gradient, a window, shelves or out-of-focus shapes, blurred."""
    coarse = side // 4
    one, other = np.array(_colour(generator)), np.array(_colour(generator))
    slope = np.linspace(0, 1, coarse)
    across = slope[None, :] if generator.random() < 0.5 else slope[:, None]
    wall = (
        one + (other - one) * float(generator.uniform(0.1, 0.6)) * np.broadcast_to(across, (coarse, coarse))[:, :, None]
    )
    image = Image.fromarray(wall.astype(np.uint8))
    pen = ImageDraw.Draw(image)
    for _ in range(int(generator.integers(0, 8))):
        x, y, wide, high = (generator.random(4) * [1, 1, 0.5, 0.6] * coarse).tolist()
        box = (x - wide / 2, y - high / 2, x + wide / 2, y + high / 2)
        shape = pen.ellipse if generator.random() < 0.4 else pen.rectangle
        shape(box, fill=ink(_colour(generator)))
    image = image.filter(ImageFilter.GaussianBlur(float(generator.uniform(0.5, 4))))
    return image.resize((side, side), Image.Resampling.BILINEAR)


def _colour(generator: np.random.Generator) -> Colour:
    """A colour of rooms and clothes: any brightness, not too vivid."""
    grey = float(generator.uniform(35, 215))
    red, green, blue = np.clip(grey + generator.normal(0, 22, 3), 10, 240).tolist()
    return red, green, blue


def _reduced(mask: Image.Image) -> np.ndarray:
    return np.asarray(mask.reduce(FINER), dtype=np.float32) / 255
