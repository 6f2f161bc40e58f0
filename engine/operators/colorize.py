"""Gives black-and-white photos colours by rule: a split tone everywhere, skin tones on faces. No neural weights."""

import cv2
import numpy as np
from PIL import Image

from engine.operators.developed import Developed
from engine.operators.faces import Face, find_faces
from engine.operators.pixels import Bytes, Floats, rgb
from imaging.operations import Colorize

DETAIL = "Toned by rule, no neural weights"
# Lab's a and b at lightness 0, 25, 50, 75, 100 %: blue-black shadows, warm lights, as hand-toned prints have them.
_LIGHTS = (0, 64, 128, 191, 255)
_TONE_A = (0.0, 1.0, 3.0, 3.0, 0.5)
_TONE_B = (-4.0, 0.0, 8.0, 12.0, 5.0)
_SKIN_A = (5.0, 11.0, 15.0, 12.0, 4.0)
_SKIN_B = (5.0, 14.0, 19.0, 17.0, 8.0)


def colorize(_operation: Colorize, image: Image.Image) -> Developed:
    """Tone the picture's lightness; colours that came in are put aside first, as for any black-and-white photo."""
    pixels = rgb(image)
    light = cv2.cvtColor(pixels, cv2.COLOR_RGB2Lab)[..., 0]
    skin = _skin(light, find_faces(pixels))
    tone = [
        _curve(light, warm) * skin + _curve(light, cool) * (1 - skin)
        for warm, cool in ((_SKIN_A, _TONE_A), (_SKIN_B, _TONE_B))
    ]
    lab = np.dstack([light, *(np.rint(part + 128).astype(np.uint8) for part in tone)])
    return Developed(Image.fromarray(cv2.cvtColor(lab, cv2.COLOR_Lab2RGB)), detail=DETAIL)


def _curve(light: Bytes, values: tuple[float, ...]) -> Floats:
    table = np.interp(np.arange(256), _LIGHTS, values).astype(np.float32)
    return table[light]


def _skin(light: Bytes, faces: list[Face]) -> Floats:
    skin = np.zeros(light.shape, np.float32)
    for face in faces:
        one = np.zeros_like(skin)
        cv2.ellipse(
            one,
            (round(face.x), round(face.y)),
            (round(0.45 * face.size), round(0.62 * face.size)),
            -face.tilt,
            0,
            360,
            1,
            -1,
        )
        skin = np.maximum(skin, cv2.GaussianBlur(one, (0, 0), max(1.0, face.size / 15)))
    return skin
