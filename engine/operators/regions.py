"""Tidies hard masks: large pieces kept, holes filled, thin threads rounded off."""

import cv2
import numpy as np

from engine.operators.pixels import Bytes


def tidy(mask: Bytes, radius: int, keep: float = 0.15, hole: float = 0.02) -> Bytes:
    """Open and close by `radius`, keep pieces of at least `keep` of the largest, fill holes up to `hole` of it."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    mask = cv2.morphologyEx(cv2.morphologyEx(mask, cv2.MORPH_OPEN, disc), cv2.MORPH_CLOSE, disc).astype(np.uint8)
    largest = _drop(mask, keep, None)
    _drop(mask, hole, largest, inverse=True)
    return mask


def _drop(mask: Bytes, share: float, largest: int | None, *, inverse: bool = False) -> int:
    """Flip in place the pieces (or, inverse, the holes) smaller than a share of the largest; return its area."""
    wanted = 255 - mask if inverse else mask
    count, labels, stats, _ = cv2.connectedComponentsWithStats(wanted, connectivity=4)
    areas = stats[1:, cv2.CC_STAT_AREA]
    if largest is None:
        largest = int(areas.max(initial=0))
    height, width = mask.shape
    for piece in range(1, count):
        x, y, w, h, area = stats[piece]
        at_border = x == 0 or y == 0 or x + w == width or y + h == height
        if area < share * largest and not (inverse and at_border):
            mask[labels == piece] = 255 if inverse else 0
    return largest
