"""Finds the people around given faces: a drawn prior of head, neck and shoulders, refined by GrabCut."""

from collections.abc import Sequence

import cv2
import numpy as np

from engine.operators.faces import Face
from engine.operators.pixels import Bytes, Floats, shrink
from engine.operators.regions import tidy
from engine.operators.separate import separate

WORK_SIDE = 512
_Outline = tuple[tuple[float, float], ...]
# Points of outlines in face sizes, right half only, from the face's middle; the last runs to the bottom edge.
_CORE = ((0.0, 0.3), (0.22, 0.45), (0.22, 0.85), (0.45, 1.15), (0.65, 1.6), (0.7, 2.5))
_LIKELY = ((0.0, 0.2), (0.36, 0.5), (0.38, 0.85), (1.1, 1.2), (1.35, 1.7), (1.5, 2.5))
_BELOW = ((0.0, 0.6), (1.6, 0.7), (4.0, 1.0), (9.0, 2.0))
_NEAR = ((0.0, -0.2), (0.45, 0.45), (0.45, 0.8), (1.5, 1.1), (2.0, 1.7), (2.3, 2.5))
_POSSIBLE = ((0.0, -0.6), (0.95, 0.1), (1.25, 0.7), (2.1, 1.2), (2.5, 1.9), (2.7, 3.0))
# Log-odds, body outline, and the head: how far it lies below the middle, half its width, half its height.
_LAYERS = (
    (-4.5, _BELOW, (0.0, 0.3, 0.3)),
    (-3.7, _POSSIBLE, (-0.15, 1.05, 1.2)),
    (-0.65, _NEAR, (-0.32, 0.78, 0.72)),
    (2.5, _LIKELY, (-0.1, 0.52, 0.7)),
    (9, _CORE, (-0.04, 0.39, 0.63)),
)


def person_mask(image: Bytes, faces: Sequence[Face]) -> Bytes:
    """Return the hard mask (255 = people) of an RGB picture, at most WORK_SIDE long."""
    small, factor = shrink(image, WORK_SIDE)
    moved = [face.scaled(factor) for face in faces]
    mask = separate(small, _prior(small.shape[:2], moved), _reach(small.shape[:2], moved))
    return tidy(mask, max(1, round(moved[0].size / 17)))


def _prior(shape: tuple[int, ...], faces: Sequence[Face]) -> Floats:
    """Log-odds that a pixel is a person's, from outlines drawn about the faces, softened between them."""
    prior = np.full(shape, -9, np.float32)
    for odds, outline, head in _LAYERS:
        for face in faces:
            _draw(prior, face, outline, head, odds)
    soft = cv2.GaussianBlur(prior, (0, 0), faces[0].size / 12)
    certain = np.abs(prior) > 8  # noqa: PLR2004  +-9
    return np.where(certain, prior, np.clip(soft, -5, 5)).astype(np.float32)


def _reach(shape: tuple[int, ...], faces: Sequence[Face]) -> Floats:
    """Trust walking on bodies only: about heads a dark wall is too easily reached from dark hair."""
    rows = np.arange(shape[0], dtype=np.float32)[:, None]
    down = np.min([(rows - face.chin) / face.size for face in faces], axis=0)
    reach: Floats = (2.5 * np.clip(down, 0, 1) * np.ones(shape)).astype(np.float32)
    return reach


def _draw(prior: Floats, face: Face, outline: _Outline, head: tuple[float, float, float], odds: float) -> None:
    """Fill a body's outline and its head (down, half width, half height) in face sizes."""
    x, y, size = face.x, face.y, face.size
    right = [(x + px * size, y + py * size) for px, py in outline]
    left = [(x - px * size, y + py * size) for px, py in reversed(outline)]
    bottom = max(prior.shape[0], right[-1][1]) + size
    points = [*right, (right[-1][0], bottom), (left[0][0], bottom), *left]
    cv2.fillPoly(prior, [np.rint(points).astype(np.int32)], odds)
    down, wide, high = head
    middle = (round(x), round(y + down * size))
    cv2.ellipse(prior, middle, (round(wide * size), round(high * size)), -face.tilt, 0, 360, odds, -1)
