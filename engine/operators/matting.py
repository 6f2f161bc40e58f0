"""Turns a hard mask into soft edges, and takes the old background out of the half-covered pixels.

Guided filter: He, Sun, Tang 2010; its coefficients are found on a small picture and applied to the large one
(He, Sun 2015). Foreground colours: blur fusion, Forte 2021. Why not pymatting: docs/decisions/0004-matting.md.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from engine.operators.guided import coefficients, guided
from engine.operators.pixels import Bytes, Floats, shrink

WORK_SIDE = 1024
_STRIP = 256


@dataclass(frozen=True)
class Matte:
    """Alpha and foreground colours of a picture, both of its full size."""

    alpha: Bytes
    foreground: Bytes


def matte(image: Bytes, mask: Bytes) -> Matte:
    """Soften a hard mask (any size, 255 = subject) along the picture's own edges."""
    small, _ = shrink(image, WORK_SIDE)
    height, width = small.shape[:2]
    guide = small.astype(np.float32) / 255
    hard = cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32) / 255
    radius = max(2, round(max(height, width) / 100))
    alpha = _soften(guide, hard, radius)
    solid, behind = _colours(guide, alpha, radius)
    return _enlarge(image, alpha, solid, behind)


def _soften(guide: Floats, hard: Floats, radius: int) -> Floats:
    """Estimate alpha in a band along the mask's edge; outside of the band the mask stands."""
    inside = cv2.erode(hard, _disc(radius)) > 0.5  # noqa: PLR2004  the middle of the ramp
    outside = cv2.dilate(hard, _disc(radius)) < 0.5  # noqa: PLR2004
    filtered = guided(guide, hard, radius, 1e-4)
    unmixed, trust = _unmix(guide, inside, outside, radius)
    alpha = trust * unmixed + (1 - trust) * filtered
    alpha = np.clip((guided(guide, alpha, max(1, radius // 4), 1e-5) - 0.04) / 0.92, 0, 1)
    return np.where(inside, 1, np.where(outside, 0, alpha)).astype(np.float32)


def _unmix(guide: Floats, inside: np.ndarray, outside: np.ndarray, radius: int) -> tuple[Floats, Floats]:
    """Alpha as the place of each colour between nearby subject and nearby background; and how far to trust it."""
    front = _spread(guide, inside.astype(np.float32), radius * 2)
    behind = _spread(guide, outside.astype(np.float32), radius * 2)
    line = front - behind
    length = (line * line).sum(axis=2)
    alpha = np.clip(((guide - behind) * line).sum(axis=2) / (length + 1e-4), 0, 1)
    off = guide - behind - alpha[..., None] * line
    misfit = (off * off).sum(axis=2)
    trust = np.clip(length / 0.08, 0, 1) * np.exp(-misfit / (0.15 * length + 1e-4))
    return alpha.astype(np.float32), (0.8 * trust).astype(np.float32)


def _spread(values: Floats, weight: Floats, radius: int) -> Floats:
    """Carry colours from where weight is into where it is not: averages over growing windows."""
    total = values * weight[..., None]
    result = np.zeros_like(values)
    missing = np.ones_like(weight)
    for size in (radius, radius * 3, radius * 9, radius * 27):
        window = (2 * size + 1, 2 * size + 1)
        colour = cv2.blur(total, window)
        amount = cv2.blur(weight, window)
        take = missing * np.clip(amount / 0.02, 0, 1)
        result += take[..., None] * colour / np.maximum(amount, 1e-6)[..., None]
        missing = missing - take
    spread: Floats = (result + missing[..., None] * values).astype(np.float32)
    return spread


def _colours(guide: Floats, alpha: Floats, radius: int) -> tuple[Floats, Floats]:
    """Blur fusion's two smooth colour fields: the subject's and the background's."""
    return _spread(guide, alpha**4, radius), _spread(guide, (1 - alpha) ** 4, radius)


def _enlarge(image: Bytes, alpha: Floats, solid: Floats, behind: Floats) -> Matte:
    """Apply what was found on the small picture to the large one, strip by strip to bound memory."""
    height, width = image.shape[:2]
    same = (height, width) == alpha.shape
    if not same:
        guide = cv2.resize(image, alpha.shape[::-1], interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        slope, offset = coefficients(guide, alpha, 2, 1e-4)
        plain = alpha
    full_alpha, full_colour = np.empty((height, width), np.uint8), np.empty_like(image)
    for top in range(0, height, _STRIP):
        rows = slice(top, min(top + _STRIP, height))
        part = image[rows].astype(np.float32) / 255

        def stretch(field: Floats, rows: slice = rows) -> Floats:
            return _rows(field, rows, height, width)

        if same:
            opacity = alpha[rows]
        else:
            rough = stretch(plain)
            fine = np.clip((part * stretch(slope)).sum(axis=2) + stretch(offset), 0, 1)
            edge = np.clip(8 * rough * (1 - rough), 0, 1)
            opacity = edge * fine + (1 - edge) * rough
        front, back = stretch(solid), stretch(behind)
        mixed = opacity[..., None] * front + (1 - opacity[..., None]) * back
        colour = np.clip(front + opacity[..., None] * (part - mixed), 0, 1)
        colour = np.where(opacity[..., None] > 0.995, part, colour)  # noqa: PLR2004  untouched inside
        full_alpha[rows] = np.rint(opacity * 255)
        full_colour[rows] = np.rint(colour * 255)
    return Matte(full_alpha, full_colour)


def _rows(field: Floats, rows: slice, height: int, width: int) -> Floats:
    """Rows of a small field as they would be after enlarging all of it to height x width."""
    if field.shape[:2] == (height, width):
        return field[rows]
    ratio = field.shape[0] / height
    ys = ((np.arange(rows.start, rows.stop) + 0.5) * ratio - 0.5).astype(np.float32)
    xs = ((np.arange(width) + 0.5) * field.shape[1] / width - 0.5).astype(np.float32)
    grid = np.meshgrid(xs, ys)
    return cv2.remap(field, grid[0], grid[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)


def _disc(radius: int) -> Bytes:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)).astype(np.uint8)
