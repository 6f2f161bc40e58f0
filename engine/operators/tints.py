"""Guesses what a grey picture shows, softly: skin, hair, background, sky, green; for colorize to tint."""

from dataclasses import dataclass

import cv2
import numpy as np

from engine.operators.faces import Face
from engine.operators.guided import guided
from engine.operators.person import person_mask
from engine.operators.pixels import Bytes, Floats

_SKY_SHARE = 0.1  # of the picture; less is no sky, and without a sky nothing is taken for grass


@dataclass(frozen=True)
class Tint:
    """A tint: where it goes (weights 0-1), and Lab's a and b at lightness 0, 25, 50, 75, 100 %."""

    weight: Floats
    a: tuple[float, ...]
    b: tuple[float, ...]


# As hand-tinted prints have them: subdued, and fading to white and black.
_SKIN = ((4.0, 12.0, 16.0, 13.0, 4.0), (4.0, 14.0, 19.0, 17.0, 8.0))
_LIPS = ((6.0, 20.0, 26.0, 20.0, 8.0), (3.0, 9.0, 13.0, 11.0, 6.0))
_HAIR = ((2.0, 6.0, 7.0, 2.5, 0.5), (2.0, 11.0, 16.0, 8.0, 3.0))
_CLOTH = ((0.0, 0.0, -1.0, 0.0, 0.0), (-7.0, -8.0, -6.0, -1.0, 2.0))
_WALL = ((-1.0, -4.0, -5.0, -2.0, 0.0), (-2.0, -4.0, 3.0, 7.0, 5.0))
_SKY = ((0.0, -1.0, -3.0, -4.0, -2.0), (-14.0, -24.0, -24.0, -17.0, -6.0))
_GREEN = ((-3.0, -10.0, -13.0, -10.0, -2.0), (5.0, 15.0, 21.0, 18.0, 6.0))


def tints(light: Bytes, faces: list[Face]) -> list[Tint]:
    """Return the tints of a small grey picture, in the order in which they are laid over one another."""
    guide = cv2.cvtColor(light, cv2.COLOR_GRAY2RGB)
    value = guide.astype(np.float32) / 255
    ground: Floats = np.ones(light.shape, np.float32)
    people: list[Tint] = []
    if faces:
        mask = person_mask(guide, faces)
        body = cv2.resize(mask, light.shape[::-1]).astype(np.float32) / 255
        body = np.clip(guided(value, body, max(2, max(light.shape) // 100), 1e-4), 0, 1)
        ground = 1 - body
        people = [Tint(body, *_CLOTH), *(tint for face in faces for tint in _face(light, body, face))]
    sky = _sky(light) * ground
    outside = sky.mean() > _SKY_SHARE
    nature = [Tint(_soft(value, _green(light) * ground * (1 - sky)), *_GREEN), Tint(sky, *_SKY)] if outside else []
    return ([Tint(ground, *_WALL)] if faces else []) + nature + people


def _face(light: Bytes, body: Floats, face: Face) -> list[Tint]:
    """Hair around the head, then skin where face and neck are about as light as the cheeks, then lips."""
    value = light.astype(np.float32)
    size, shape = face.size, light.shape
    oval = _oval(shape, face, 0.0, 0.04, 0.44, 0.62)
    cheeks = value[oval > 0.9]  # noqa: PLR2004  well inside
    level = float(np.percentile(cheeks, 60)) if cheeks.size else 160.0
    like = np.exp(-(((value - level) / 62) ** 2))
    fair = np.clip((value - 0.35 * level) / (0.3 * level), 0, 1)
    around = _oval(shape, face, 0.0, 0.25, 0.56, 0.85)
    skin = np.maximum(oval * fair, around * np.clip(1.4 * like - 0.4, 0, 1)) * body
    head = _oval(shape, face, 0.0, -0.15, 0.85, 0.85) * body * (1 - oval) * (value < 1.25 * level)
    lips = _oval(shape, face, 0.0, 0.315, 0.17, 0.055) * np.clip((1.02 * level - value) / (0.25 * level), 0, 1)
    guide = cv2.cvtColor(light, cv2.COLOR_GRAY2RGB).astype(np.float32) / 255
    radius = max(1, round(size / 40))
    skin = np.clip(guided(guide, skin.astype(np.float32), radius, 1e-3), 0, 1)
    return [Tint(head.astype(np.float32), *_HAIR), Tint(skin, *_SKIN), Tint((0.6 * lips).astype(np.float32), *_LIPS)]


def _oval(shape: tuple[int, ...], face: Face, right: float, down: float, wide: float, high: float) -> Floats:
    """Weights of a soft ellipse given in face sizes from the face's middle, turned as the face is."""
    angle = np.radians(face.tilt)
    ys, xs = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    across, along = (xs - face.x) / face.size, (ys - face.y) / face.size
    u = across * np.cos(angle) + along * np.sin(angle) - right
    v = along * np.cos(angle) - across * np.sin(angle) - down
    weight: Floats = np.clip((1.15 - np.sqrt((u / wide) ** 2 + (v / high) ** 2)) / 0.3, 0, 1).astype(np.float32)
    return weight


def _sky(light: Bytes) -> Floats:
    """Smooth, fairly light, and reached from the top edge without leaving it."""
    rough = _roughness(light)
    smooth = ((rough < 0.02) & (light > 110)).astype(np.uint8)  # noqa: PLR2004  0-1 deviation; 0-255 lightness
    _, pieces = cv2.connectedComponents(smooth)
    reached = np.isin(pieces, np.setdiff1d(np.unique(pieces[0]), [0]))
    guide = cv2.cvtColor(light, cv2.COLOR_GRAY2RGB).astype(np.float32) / 255
    return _soft(guide, reached.astype(np.float32))


def _green(light: Bytes) -> Floats:
    """Textured, neither black nor white, low in the picture; less in the middle, where animals stand and lie."""
    rough = cv2.GaussianBlur(_roughness(light), (0, 0), max(light.shape) / 60)
    low = np.linspace(-0.6, 1.6, light.shape[0], dtype=np.float32)[:, None]
    ys, xs = np.linspace(-1, 1, light.shape[0])[:, None], np.linspace(-1, 1, light.shape[1])[None]
    aside = 1 - 0.85 * np.exp(-((xs / 0.7) ** 2) - (ys / 0.6) ** 2).astype(np.float32)
    middling = np.clip(light.astype(np.float32) / 60 - 0.6, 0, 1)
    weight: Floats = np.clip((rough - 0.02) / 0.03, 0, 1) * np.clip(low, 0, 1) * middling * aside
    return weight


def _roughness(light: Bytes) -> Floats:
    """Deviation within a small window, 0-1."""
    value = light.astype(np.float32) / 255
    window = (2 * max(1, max(light.shape) // 170) + 1,) * 2
    variance = cv2.blur(value * value, window) - cv2.blur(value, window) ** 2
    rough: Floats = np.sqrt(np.maximum(variance, 0))
    return rough


def _soft(guide: Floats, weight: Floats) -> Floats:
    soft: Floats = np.clip(guided(guide, weight, max(2, max(weight.shape) // 80), 1e-3), 0, 1).astype(np.float32)
    return soft
