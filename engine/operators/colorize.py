"""Gives black-and-white photos colours by rule, as hand-tinted prints have them. No neural weights, and it says so."""

import cv2
import numpy as np
from PIL import Image

from engine.operators.developed import Developed
from engine.operators.faces import find_faces
from engine.operators.pixels import Bytes, Floats, rgb, shrink
from engine.operators.tints import tints
from imaging.operations import Colorize

DETAIL = "Toned by rule, no neural weights"
_WORK_SIDE = 512
_LIGHTS = (0, 64, 128, 191, 255)
# The ground tone: Lab's a and b at lightness 0, 25, 50, 75, 100 %; blue-black shadows, warm lights.
_TONE_A = (0.0, 2.5, 4.5, 3.0, 0.5)
_TONE_B = (-8.0, 1.0, 12.5, 14.0, 5.0)


def colorize(_operation: Colorize, image: Image.Image) -> Developed:
    """Tint the picture by its lightness alone: colours that came in are put aside, as for any old photo.

    RGB; lightness stays as it was (to rounding), so only colours can be wrong.
    """
    light = cv2.cvtColor(rgb(image), cv2.COLOR_RGB2Lab)[..., 0]
    small, factor = shrink(light, _WORK_SIDE)
    faces = [face.scaled(factor) for face in find_faces(cv2.cvtColor(light, cv2.COLOR_GRAY2RGB))]
    a, b = _curve(small, _TONE_A), _curve(small, _TONE_B)
    for tint in tints(small, faces):
        a += tint.weight * (_curve(small, tint.a) - a)
        b += tint.weight * (_curve(small, tint.b) - b)
    lab = np.dstack([light, _enlarge(a, light), _enlarge(b, light)])
    return Developed(Image.fromarray(cv2.cvtColor(lab, cv2.COLOR_Lab2RGB)), detail=DETAIL)


def _curve(light: Bytes, values: tuple[float, ...]) -> Floats:
    table = np.interp(np.arange(256), _LIGHTS, values).astype(np.float32)
    tone: Floats = table[light]
    return tone


def _enlarge(chroma: Floats, light: Bytes) -> Bytes:
    """Stretch Lab's a or b to the picture's size as OpenCV's bytes (128 is grey); eyes forgive coarse colour."""
    full = cv2.resize(chroma, light.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.clip(np.rint(full + 128), 0, 255).astype(np.uint8)
