"""Three cues, each 0-1 a pixel, to where the thing in a small picture lies: odd colours, sharpness, still background.

No cue is right alone. A cat's face that fills the picture reaches the border in its own colours, but it is what the
lens was focused on. A cup is blurrier than the grain of its table, but has other colours. An evening sky changes
its colour from the border to the middle, but so slowly that it is one with the border.
"""

import cv2
import numpy as np

from engine.operators.pixels import Bytes, Floats

_BORDER_COLOURS = 5
_STILL = 2.2  # CIELAB units a pixel, in OpenCV's bytes
_SMALLEST_STILL = 0.01  # of the picture; less is a patch between two things


def oddness(lab: Bytes, edge: Bytes) -> Floats:
    """How unlike the border's colours each pixel is; `edge` marks the border."""
    values = lab.astype(np.float32)
    samples = values[edge]
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 20, 0.5)
    cv2.setRNGSeed(1)  # k-means draws lots
    _, groups, centres = cv2.kmeans(samples, _BORDER_COLOURS, np.empty(0), criteria, 2, cv2.KMEANS_PP_CENTERS)
    shares = np.bincount(groups.ravel(), minlength=_BORDER_COLOURS) / len(samples)
    far = np.stack([np.linalg.norm(values - c, axis=2) for c in centres])
    # A colour that only a little of the border has may be the thing itself reaching the border: it counts less.
    far += (30 * np.clip(0.12 - shares, 0, 1) / 0.12)[:, None, None]
    distance = cv2.GaussianBlur(far.min(axis=0), (0, 0), max(edge.shape) / 120)
    odd: Floats = np.clip(distance / max(float(np.percentile(distance, 98)), 10.0), 0, 1)
    return odd


def sharpness(image: Bytes) -> Floats:
    """How much of the finest detail lies around each pixel: what the lens was focused on has most of it."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    detail = np.abs(grey - cv2.GaussianBlur(grey, (0, 0), 1.0))
    around = cv2.GaussianBlur(detail, (0, 0), max(grey.shape) / 40)
    sharp: Floats = np.clip(around / (float(np.percentile(around, 95)) + 1e-3), 0, 1)
    return sharp


def stillness(lab: Bytes) -> Floats:
    """1 where one comes from the border without crossing an edge: skies, walls, blurred meadows, table tops."""
    smooth = cv2.GaussianBlur(lab.astype(np.float32), (0, 0), 1.0)
    across, down = cv2.Sobel(smooth, cv2.CV_32F, 1, 0) / 8, cv2.Sobel(smooth, cv2.CV_32F, 0, 1) / 8
    calm = (np.sqrt((across**2 + down**2).sum(axis=2)) < _STILL).astype(np.uint8)
    calm = cv2.erode(calm, np.ones((3, 3), np.uint8))  # closes the gaps in edges
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(calm, connectivity=4)
    height, width = calm.shape
    keep = np.zeros(count, np.float32)
    for piece in range(1, count):
        x, y, w, h, area = stats[piece]
        at_border = x == 0 or y == 0 or x + w == width or y + h == height
        keep[piece] = at_border and area > _SMALLEST_STILL * calm.size
    still: Floats = cv2.GaussianBlur(keep[pieces], (0, 0), max(height, width) / 170)
    return still
