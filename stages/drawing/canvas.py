"""Where the features are drawn: face units go in, a picture twice as fine as the result comes out."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from stages.drawing.people import Colour
from stages.drawing.scenes import Scene

Points = np.ndarray | Sequence[Sequence[float] | np.ndarray]
FINER = 2  # drawn at this many times the size, so that edges come out smooth
DEPTH = 0.72  # of the head, from its middle to the tip of the forehead, face units


class View:
    """From face units to pixels and back, for a head of a given width under a scene's pose."""

    def __init__(self, scene: Scene, head_width: float, size: int) -> None:
        self.scene, self.head_width, self.size = scene, head_width, size
        self._cos, self._sin = np.cos(scene.roll), np.sin(scene.roll)
        # The face alone is somewhat above the middle when neck and shoulders show.
        self._middle = np.array([0.5 + scene.shift[0], 0.49 + scene.shift[1]])

    def turned(self, points: Points, raised: float = 0.0) -> np.ndarray:
        """Points (N, 2) on the face's surface, `raised` above it, after yaw and pitch (N, 2), face units."""
        x, y = np.asarray(points, dtype=float).T
        z = DEPTH * np.sqrt(np.clip(1 - (x / (self.head_width * 1.05)) ** 2 - (y / 1.12) ** 2, 0, 1)) + raised
        scene = self.scene
        right = x * np.cos(scene.yaw) + z * np.sin(scene.yaw)
        down = y * np.cos(scene.pitch) + (z * np.cos(scene.yaw) - 0.35) * np.sin(scene.pitch)
        return np.stack([right, down], axis=1)

    def flat(self, points: Points) -> np.ndarray:
        """Face units (N, 2), already turned, to shares of the picture's side (N, 2): roll, scale, shift."""
        x, y = np.asarray(points, dtype=float).T
        rolled = np.stack([x * self._cos - y * self._sin, x * self._sin + y * self._cos], axis=1)
        return np.asarray(rolled * self.scene.scale + self._middle)

    def grid(self) -> tuple[np.ndarray, np.ndarray]:
        """Face units right and down of each pixel of the result, two arrays (size, size)."""
        steps = (np.arange(self.size, dtype=np.float32) + 0.5) / self.size
        x = ((steps - self._middle[0]) / self.scene.scale)[None, :]
        y = ((steps - self._middle[1]) / self.scene.scale)[:, None]
        cos, sin = np.float32(self._cos), np.float32(self._sin)
        right, down = x * cos + y * sin, -x * sin + y * cos
        return right.astype(np.float32), down.astype(np.float32)


class Canvas:
    """A picture to draw on in face units; `surface=False` draws in the plane of the head's outline."""

    def __init__(self, view: View, image: Image.Image) -> None:
        self.view, self.image = view, image
        self.pen = ImageDraw.Draw(image)

    def pixels(self, points: Points, raised: float = 0.0, surface: bool = True) -> list[tuple[float, float]]:
        """Places on the fine picture."""
        placed = self.view.turned(points, raised) if surface else self._outline(points)
        return [(x, y) for x, y in (self.view.flat(placed) * self.view.size * FINER).tolist()]

    def _outline(self, points: Points) -> np.ndarray:
        # The outline of an egg hardly narrows when it turns; what stands out (hair, ears) moves a little with it.
        x, y = np.asarray(points, dtype=float).T
        scene = self.view.scene
        return np.stack([x + 0.10 * np.sin(scene.yaw), y - 0.10 * np.sin(scene.pitch)], axis=1)

    def polygon(self, points: Points, colour: Colour, raised: float = 0.0, surface: bool = True) -> None:
        """Fill a polygon (N, 2)."""
        self.pen.polygon(self.pixels(points, raised, surface), fill=ink(colour))

    def line(self, points: Points, colour: Colour, width: float, raised: float = 0.0, surface: bool = True) -> None:
        """Stroke a line (N, 2); the width is in face units."""
        pixels = max(1, round(width * self.view.scene.scale * self.view.size * FINER))
        self.pen.line(self.pixels(points, raised, surface), fill=ink(colour), width=pixels, joint="curve")

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
        mask = self.mask([points], raised, surface, round(255 * strength))
        mask = mask.filter(ImageFilter.GaussianBlur(softness * self.view.scene.scale * self.view.size * FINER))
        self.image.paste(ink(colour), mask=mask)

    def mask(
        self, shapes: Sequence[Points], raised: float = 0.0, surface: bool = True, level: int = 255
    ) -> Image.Image:
        """A picture of one channel, `level` inside the polygons and 0 outside."""
        mask = Image.new("L", self.image.size)
        pen = ImageDraw.Draw(mask)
        for points in shapes:
            pen.polygon(self.pixels(points, raised, surface), fill=level)
        return mask


def smooth(points: Points, closed: bool = True, steps: int = 5) -> np.ndarray:
    """A Catmull-Rom curve through points (N, 2), `steps` places for each."""
    given = np.asarray(points, dtype=float)
    if closed:
        before, after, beyond = np.roll(given, 1, 0), np.roll(given, -1, 0), np.roll(given, -2, 0)
        start = given
    else:
        padded = np.concatenate([2 * given[:1] - given[1:2], given, 2 * given[-1:] - given[-2:-1]])
        before, start, after, beyond = padded[:-3], padded[1:-2], padded[2:-1], padded[3:]
    t = np.linspace(0, 1, steps, endpoint=False)[None, :, None]
    one, two, three, four = (part[:, None, :] for part in (before, start, after, beyond))
    curve = 0.5 * (
        2 * two
        + (three - one) * t
        + (2 * one - 5 * two + 4 * three - four) * t**2
        + (3 * (two - three) + four - one) * t**3
    )
    flat = curve.reshape(-1, 2)
    return flat if closed else np.concatenate([flat, given[-1:]])


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
