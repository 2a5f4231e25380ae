"""The picture: background, person, cover, then light and camera."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from facestudy.synthetic import covers, features, hair, shading
from facestudy.synthetic.canvas import FINER, RELIEF, ROOM, ROUND, Canvas, View, ink
from facestudy.synthetic.expressions import Expression
from facestudy.synthetic.people import Colour, Person
from facestudy.synthetic.scenes import Scene


def draw(person: Person, face: Expression, scene: Scene, size: int) -> np.ndarray:
    """One picture, uint8 (size, size, 3) in RGB; the same arguments give the same pixels.

    About 8 ms at 128 pixels on one core.
    """
    generator = np.random.default_rng(scene.seed)
    view = View(scene, person.head_width, size)
    canvas = Canvas(view, _background(generator, size * FINER), ROUND)
    hair.draw_behind(canvas, person)
    canvas.layer = ROOM
    features.draw_body(canvas, person, _colour(generator))
    canvas.layer = RELIEF
    features.draw_head(canvas, person, face)
    features.draw_marks(canvas, person, face, generator)
    features.draw_beard(canvas, person, face)
    features.draw_mouth(canvas, person, face)
    features.draw_nose(canvas, person)
    gaze = float(generator.normal(0.3 * scene.yaw, 0.09)), float(generator.normal(0, 0.04))
    features.draw_eyes(canvas, person, face, gaze)
    features.draw_brows(canvas, person, face)
    canvas.layer = ROUND
    hair.draw_front(canvas, person, generator)
    if scene.occlusion == "sunglasses":
        covers.draw_sunglasses(canvas, person, generator)
    else:
        covers.draw_glasses(canvas, person)
    if scene.occlusion == "mask":
        covers.draw_mask(canvas, person, generator)
    elif scene.occlusion == "hand":
        covers.draw_hand(canvas, person, scene, generator)
    elif scene.occlusion == "hair":
        covers.draw_hair_across(canvas, person, scene, generator)
    return _taken(_lit(canvas, person, face), scene, generator)


def _lit(canvas: Canvas, person: Person, face: Expression) -> np.ndarray:
    """The picture at its own size with the light on it, float32 (size, size, 3), about 0..255."""
    drawn = np.asarray(canvas.image.reduce(FINER), dtype=np.float32)
    scene, (x, _) = canvas.view.scene, canvas.view.grid()
    head = np.clip(drawn[:, :, 3] / ROUND, 0, 1)
    bare = np.clip(drawn[:, :, 3] / ROUND - 1, 0, 1)
    brightness, gloss = shading.light(canvas.view, person, face, bare)
    # The room is lit from the same side, but less than what stands near the light.
    around = scene.ambient + (1 - scene.ambient) * 0.75
    room = around * (1 + 0.22 * np.clip(x * scene.direction[0], -1.2, 1.2))
    brightness = room + head * (brightness - room)
    lit: np.ndarray = drawn[:, :, :3] * brightness[:, :, None] + 255 * gloss[:, :, None]
    return lit


def _taken(lit: np.ndarray, scene: Scene, generator: np.random.Generator) -> np.ndarray:
    """What the camera makes of light in 0..255: exposure with a soft shoulder, blur, noise; uint8."""
    tint = np.array([1 + scene.warmth, 1.0, 1 - scene.warmth], dtype=np.float32)
    exposed = lit * (scene.exposure * tint)
    over = np.maximum(exposed - 180, 0)
    bent = np.minimum(exposed, 180) + over / (1 + over / 80)
    if scene.blur > 0:
        picture = Image.fromarray(np.clip(bent, 0, 255).astype(np.uint8))
        bent = np.asarray(picture.filter(ImageFilter.GaussianBlur(scene.blur * len(lit))), dtype=np.float32)
    noisy = bent + scene.noise * generator.standard_normal(lit.shape, dtype=np.float32)
    taken: np.ndarray = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    return taken


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
    image = image.resize((side, side), Image.Resampling.BILINEAR)
    return Image.merge("RGBX", (*image.split(), Image.new("L", image.size, ROOM)))


def _colour(generator: np.random.Generator) -> Colour:
    """A colour of rooms and clothes: any brightness, not too vivid."""
    grey = float(generator.uniform(35, 215))
    red, green, blue = np.clip(grey + generator.normal(0, 22, 3), 10, 240).tolist()
    return red, green, blue
