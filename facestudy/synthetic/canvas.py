"""Where the features are drawn: face units go in, a picture twice as fine as the result comes out."""

import functools
import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from facestudy.synthetic.people import Colour
from facestudy.synthetic.scenes import Scene

Points = np.ndarray | Sequence[Sequence[float] | np.ndarray]
FINER = 2  # drawn at this many times the size, so that edges come out smooth
# Fourth channel: lit as the room is, by the round of the head, or by the relief of the bare face as well.
ROOM, ROUND, RELIEF = 0, 128, 255
DEPTH = 0.72  # of the head, from its middle to the tip of the forehead, face units


class View:
    """From face units to pixels and back, for a head of a given width under a scene's pose."""

    def __init__(self, scene: Scene, head_width: float, size: int) -> None:
        self.scene, self.head_width, self.size = scene, head_width, size
        cos, sin = math.cos(scene.roll), math.sin(scene.roll)
        self._upright = cos, sin
        self._roll = np.array([[cos, sin], [-sin, cos]]) * scene.scale
        self._yaw, self._pitch = (
            (math.cos(scene.yaw), math.sin(scene.yaw)),
            (math.cos(scene.pitch), math.sin(scene.pitch)),
        )
        # The face alone is somewhat above the middle when neck and shoulders show.
        self._middle = 0.5 + scene.shift[0], 0.49 + scene.shift[1]

    def turned(self, points: Points, raised: float = 0.0) -> np.ndarray:
        """Points (N, 2) on the face's surface, `raised` above it, after yaw and pitch (N, 2), face units."""
        x, y = np.asarray(points, dtype=float).T
        inside = 1 - (x / (self.head_width * 1.05)) ** 2 - (y / 1.12) ** 2
        z = DEPTH * np.sqrt(np.maximum(inside, 0)) + raised
        placed = np.empty((len(x), 2))
        placed[:, 0] = x * self._yaw[0] + z * self._yaw[1]
        placed[:, 1] = y * self._pitch[0] + (z * self._yaw[0] - 0.35) * self._pitch[1]
        return placed

    def flat(self, points: Points) -> np.ndarray:
        """Face units (N, 2), already turned, to shares of the picture's side (N, 2): roll, scale, shift."""
        return np.asarray(np.asarray(points, dtype=float) @ self._roll + self._middle)

    def grid(self) -> tuple[np.ndarray, np.ndarray]:
        """Face units right and down of each pixel of the result, two arrays (size, size)."""
        steps = (np.arange(self.size, dtype=np.float32) + 0.5) / self.size
        x = ((steps - self._middle[0]) / self.scene.scale)[None, :]
        y = ((steps - self._middle[1]) / self.scene.scale)[:, None]
        cos, sin = self._upright
        return x * cos + y * sin, y * cos - x * sin


class Canvas:
    """A picture to draw on in face units; its fourth channel notes what the light does to each pixel.

    `surface=False` draws in the plane of the head's outline instead of on the face's round.
    """

    def __init__(self, view: View, image: Image.Image, layer: int = ROOM) -> None:
        self.view, self.image, self.layer = view, image, layer
        self.pen = ImageDraw.Draw(image)

    def pixels(self, points: Points, raised: float = 0.0, surface: bool = True) -> np.ndarray:
        """Places (N, 2) on the fine picture."""
        placed = self.view.turned(points, raised) if surface else self._outline(points)
        return np.asarray(self.view.flat(placed) * self.view.size * FINER)

    def _outline(self, points: Points) -> np.ndarray:
        # The outline of an egg hardly narrows when it turns; what stands out (hair, ears) moves a little with it.
        moved = np.array([np.sin(self.view.scene.yaw), -np.sin(self.view.scene.pitch)])
        return np.asarray(np.asarray(points) + 0.10 * moved)

    def polygon(self, points: Points, colour: Colour, raised: float = 0.0, surface: bool = True) -> None:
        """Fill a polygon (N, 2)."""
        self.pen.polygon(self.pixels(points, raised, surface).ravel().tolist(), fill=self._ink(colour))

    def line(self, points: Points, colour: Colour, width: float, raised: float = 0.0, surface: bool = True) -> None:
        """Stroke a line (N, 2); the width is in face units."""
        places = self.pixels(points, raised, surface).ravel().tolist()
        self.pen.line(places, fill=self._ink(colour), width=max(1, round(self._length(width))), joint="curve")

    def soft(
        self,
        points: Points,
        colour: Colour,
        strength: float,
        softness: float,
        raised: float = 0.0,
        surface: bool = True,
    ) -> None:
        """Fill a polygon with a soft edge: `strength` in 0..1 at its middle, `softness` in face units."""
        places, blur = self.pixels(points, raised, surface), self._length(softness)
        corner = np.floor(places.min(axis=0) - 3 * blur)
        size = np.ceil(places.max(axis=0) + 3 * blur - corner).astype(int)
        mask = Image.new("L", (int(size[0]), int(size[1])))
        ImageDraw.Draw(mask).polygon((places - corner).ravel().tolist(), fill=round(255 * strength))
        mask = mask.filter(ImageFilter.GaussianBlur(blur))
        self.image.paste(self._ink(colour), (int(corner[0]), int(corner[1])), mask)

    def mask(self, shapes: Sequence[Points]) -> Image.Image:
        """A picture of one channel, 255 inside the polygons and 0 outside."""
        mask = Image.new("L", self.image.size)
        pen = ImageDraw.Draw(mask)
        for points in shapes:
            pen.polygon(self.pixels(points).ravel().tolist(), fill=255)
        return mask

    def _length(self, units: float) -> float:
        return units * self.view.scene.scale * self.view.size * FINER

    def _ink(self, colour: Colour) -> tuple[int, int, int, int]:
        return (*ink(colour), self.layer)


def smooth(points: Points, closed: bool = True, steps: int = 5) -> np.ndarray:
    """A Catmull-Rom curve through points (N, 2), `steps` places for each."""
    given = np.asarray(points, dtype=float)
    if closed:
        padded = np.concatenate([given[-1:], given, given[:2]])
    else:
        padded = np.concatenate([2 * given[:1] - given[1:2], given, 2 * given[-1:] - given[-2:-1]])
    neighbours = np.stack([padded[:-3], padded[1:-2], padded[2:-1], padded[3:]])
    curve = np.einsum("sk,knd->nsd", _catmull_rom(steps), neighbours).reshape(-1, 2)
    return curve if closed else np.concatenate([curve, given[-1:]])


@functools.cache
def _catmull_rom(steps: int) -> np.ndarray:
    """Weights (steps, 4) of four neighbouring points along the piece between the middle two."""
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    powers = np.concatenate([t**0, t, t**2, t**3], axis=1)
    return np.asarray(powers @ np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]]) / 2)


def mirrored(right: Points) -> np.ndarray:
    """A closed outline from its right half (N, 2), given from top to bottom."""
    half = np.asarray(right, dtype=float)
    left = half[::-1] * [-1, 1]
    return np.concatenate([half, left[left[:, 0] < -1e-9]])


def mixed(one: Colour, other: Colour, share: float) -> Colour:
    """A colour `share` of the way from one to the other."""
    red, green, blue = (a + (b - a) * share for a, b in zip(one, other, strict=True))
    return red, green, blue


def ink(colour: Colour) -> tuple[int, int, int]:
    """A colour as whole numbers within 0..255."""
    red, green, blue = (min(255, max(0, round(part))) for part in colour)
    return red, green, blue
