"""Finds the people around given faces: a drawn prior of head, neck and shoulders, refined by GrabCut."""

from collections.abc import Sequence

import cv2
import numpy as np

from engine.operators.faces import Face
from engine.operators.pixels import Bytes, shrink
from engine.operators.regions import grab, tidy

WORK_SIDE = 512
# Points of outlines in face sizes, right half only, from the face's middle; the last runs to the bottom edge.
_CORE = ((0.0, 0.3), (0.22, 0.45), (0.22, 0.85), (0.45, 1.15), (0.65, 1.6), (0.7, 2.5))
_LIKELY = ((0.0, 0.2), (0.42, 0.5), (0.45, 0.85), (1.1, 1.2), (1.35, 1.7), (1.45, 2.5))
_POSSIBLE = ((0.0, -0.6), (0.95, 0.1), (1.25, 0.7), (2.1, 1.2), (2.5, 1.9), (2.7, 3.0))


def person_mask(image: Bytes, faces: Sequence[Face]) -> Bytes:
    """Return the hard mask (255 = people) of an RGB picture, at most WORK_SIDE long."""
    small, factor = shrink(image, WORK_SIDE)
    labels = _prior(small.shape[:2], [face.scaled(factor) for face in faces])
    lab = cv2.cvtColor(cv2.bilateralFilter(small, 5, 20, 5), cv2.COLOR_RGB2Lab)
    mask = grab(lab, labels, 6)
    return tidy(mask, max(1, round(faces[0].size * factor / 30)))


def _prior(shape: tuple[int, ...], faces: Sequence[Face]) -> Bytes:
    labels = np.full(shape, cv2.GC_BGD, np.uint8)
    layers = (
        (cv2.GC_PR_BGD, _POSSIBLE, (-0.15, 1.05, 1.25)),
        (cv2.GC_PR_FGD, _LIKELY, (-0.13, 0.6, 0.82)),
        (cv2.GC_FGD, _CORE, (0.03, 0.36, 0.5)),
    )
    for label, outline, (down, wide, high) in layers:
        for face in faces:
            x, y, size = face.x, face.y, face.size
            points = [(x + side * px * size, y + py * size) for side, part in _halves(outline) for px, py in part]
            widest = outline[-1][0] * size
            bottom = max(shape[0], y + outline[-1][1] * size) + size
            points[len(outline) : len(outline)] = [(x + widest, bottom), (x - widest, bottom)]
            cv2.fillPoly(labels, [np.rint(points).astype(np.int32)], label)
            middle = (round(x), round(y + down * size))
            cv2.ellipse(labels, middle, (round(wide * size), round(high * size)), -face.tilt, 0, 360, label, -1)
    return labels


def _halves(outline: Sequence[tuple[float, float]]) -> tuple[tuple[int, Sequence[tuple[float, float]]], ...]:
    return (1, outline), (-1, outline[::-1])
