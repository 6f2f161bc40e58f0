"""Finds upright faces in a photograph: several Haar cascades must agree, then the eyes level the head.

OpenCV's cascades are trained on upright frontal faces, so the picture is also tried turned by a few
degrees. A single cascade sees faces in table tops; two that agree, with an eye inside, hardly ever do.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from cv2.typing import MatLike, Rect

from engine.operators.pixels import Bytes, shrink

# Turned tries in degrees (counter-clockwise as OpenCV counts), the likely ones first.
_TURNS = (0.0, 20.0, -20.0, 40.0, -40.0)
_SEARCH_SIDE = 640
_TURNED_SIDE = 480  # turned tries cost more and are wrong more often: only faces that fill something of the picture
_CASCADES = (
    ("haarcascade_frontalface_alt2.xml", 3),
    ("haarcascade_frontalface_alt.xml", 3),
    ("haarcascade_frontalface_default.xml", 5),
)
_EYES = ("haarcascade_eye_tree_eyeglasses.xml", "haarcascade_eye.xml")


@dataclass(frozen=True)
class Face:
    """A face: middle of its box, side of the box (brow to chin) in pixels, and its tilt.

    `tilt` is in degrees; positive means that the picture must be turned counter-clockwise by it to level the eyes.
    """

    x: float
    y: float
    size: float
    tilt: float
    votes: int

    @property
    def eye_line(self) -> float:
        """Row of the eyes; in boxes of these cascades they lie 0.39 of the side below its top."""
        return self.y - 0.11 * self.size

    @property
    def chin(self) -> float:
        """Row of the chin; the boxes end a little above it."""
        return self.y + 0.55 * self.size

    def scaled(self, factor: float) -> "Face":
        """Return the same face in a picture `factor` times as large."""
        return Face(self.x * factor, self.y * factor, self.size * factor, self.tilt, self.votes)


@cache
def cascade(name: str) -> cv2.CascadeClassifier:
    """Load one of OpenCV's own cascades, once a process."""
    return cv2.CascadeClassifier(str(Path(cv2.__file__).parent / "data" / name))


def find_faces(image: Bytes) -> list[Face]:
    """Find the faces in an RGB picture, the main one (large and near the middle) first; maybe none."""
    for turn in _TURNS:
        small, factor = shrink(image, _TURNED_SIDE if turn else _SEARCH_SIDE)
        grey = cv2.equalizeHist(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY))
        height, width = grey.shape
        found = _faces_turned(grey, turn)
        if found:
            found.sort(key=lambda face: -_weight(face, width, height))
            return [face.scaled(1 / factor) for face in found]
    return []


def _weight(face: Face, width: int, height: int) -> float:
    """Rank by size first, then by nearness to the middle."""
    off = abs(face.x / width - 0.5) + 0.5 * abs(face.y / height - 0.4)
    return face.size * face.votes * (1.2 - off)


def _faces_turned(grey: MatLike, turn: float) -> list[Face]:
    height, width = grey.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), turn, 1.0)
    turned = cv2.warpAffine(grey, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE) if turn else grey
    back = cv2.invertAffineTransform(matrix)
    faces = []
    # Upright, either all cascades or an eye; turned, where more is mistaken for a face, all and both eyes.
    for box, votes in _agreed(turned, 10, len(_CASCADES)) if turn else _agreed(turned, 20, 2):
        eyes = _eyes(turned, box)
        if (votes < len(_CASCADES) and not eyes) or (turn and len(eyes) < 2):  # noqa: PLR2004  a pair
            continue
        x, y, w, h = box
        centre = back @ np.array([x + w / 2, y + h / 2, 1.0])
        faces.append(Face(float(centre[0]), float(centre[1]), (w + h) / 2, _tilt(eyes, w) + turn, votes))
    return faces


def _agreed(grey: MatLike, part: int, needed: int) -> list[tuple[Rect, int]]:
    """Return the boxes that `needed` cascades drew, averaged, with their number; none below side / part."""
    side = min(grey.shape)
    least = max(20, side // part)
    groups: list[list[Rect]] = []
    for number, (name, neighbours) in enumerate(_CASCADES):
        best = max((len(group) for group in groups), default=0)
        if best + len(_CASCADES) - number < needed:  # the rest cannot make it up
            break
        boxes = cascade(name).detectMultiScale(grey, 1.1, neighbours, minSize=(least, least))
        for box in boxes:
            for group in groups:
                if _overlap(group[0], box) > 0.4:  # noqa: PLR2004  the usual bar for "the same box"
                    group.append(box)
                    break
            else:
                groups.append([box])
    means = [(np.mean(group, axis=0).round().astype(int), len(group)) for group in groups if len(group) >= needed]
    return [((int(b[0]), int(b[1]), int(b[2]), int(b[3])), min(n, len(_CASCADES))) for b, n in means]


def _overlap(one: Rect, two: Rect) -> float:
    """Shared area over joint area."""
    wide = min(one[0] + one[2], two[0] + two[2]) - max(one[0], two[0])
    high = min(one[1] + one[3], two[1] + two[3]) - max(one[1], two[1])
    shared = max(0, wide) * max(0, high)
    return float(shared / (one[2] * one[3] + two[2] * two[3] - shared))


def _eyes(grey: MatLike, box: Rect) -> list[tuple[float, float]]:
    """Return the eyes' middles in the upper part of a face box, at most the best one on each side."""
    x, y, w, h = box
    part = grey[y + int(0.15 * h) : y + int(0.58 * h), x : x + w]
    zoom = max(1.0, 160 / w)
    part = cv2.resize(part, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    least = int(0.14 * w * zoom)
    for name in _EYES:
        boxes = cascade(name).detectMultiScale(part, 1.08, 4, minSize=(least, least))
        middles = [((bx + bw / 2) / zoom, (by + bh / 2) / zoom) for bx, by, bw, bh in boxes]
        left = [eye for eye in middles if eye[0] < 0.48 * w]
        right = [eye for eye in middles if eye[0] > 0.52 * w]
        if left and right:
            return [min(left, key=lambda eye: abs(eye[0] - 0.3 * w)), min(right, key=lambda eye: abs(eye[0] - 0.7 * w))]
        if middles:
            return middles[:1]
    return []


def _tilt(eyes: list[tuple[float, float]], width: int) -> float:
    """Degrees to turn by so that two eyes lie level; 0 when two were not seen or look wrong."""
    if len(eyes) < 2:  # noqa: PLR2004  a pair
        return 0.0
    (lx, ly), (rx, ry) = eyes
    angle = float(np.degrees(np.arctan2(ry - ly, rx - lx)))
    return angle if rx - lx > 0.25 * width and abs(angle) < 20 else 0.0  # noqa: PLR2004  a steeper pair is a mistake
