"""Finds the thing that a picture shows: what differs from the border's colours and lies in the middle; then GrabCut."""

import cv2
import numpy as np

from engine.operators.pixels import Bytes, Floats, shrink
from engine.operators.regions import grab, tidy

WORK_SIDE = 512
_BORDER = 0.04  # of the shorter edge
_BORDER_COLOURS = 5


def thing_mask(image: Bytes) -> Bytes:
    """Return the hard mask (255 = thing) of an RGB picture, at most WORK_SIDE long; never empty, never all."""
    small, _ = shrink(image, WORK_SIDE)
    lab = cv2.cvtColor(cv2.bilateralFilter(small, 5, 25, 5), cv2.COLOR_RGB2Lab)
    labels = _labels(_salience(lab.astype(np.float32)))
    mask = grab(lab, labels, 5)
    mask = tidy(mask, max(1, round(max(mask.shape) / 250)))
    share = float((mask > 0).mean())
    return mask if 0.005 < share < 0.98 else _ellipse(mask.shape)  # noqa: PLR2004  found nothing, or everything


def _salience(lab: Floats) -> Floats:
    """How unlike the border each pixel is, 0-1, weighed by its nearness to the middle."""
    height, width = lab.shape[:2]
    rim = max(2, round(_BORDER * min(height, width)))
    edge = np.ones((height, width), bool)
    edge[rim:-rim, rim:-rim] = False
    samples = lab[edge]
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 20, 0.5)
    cv2.setRNGSeed(1)
    _, groups, centres = cv2.kmeans(samples, _BORDER_COLOURS, np.empty(0), criteria, 2, cv2.KMEANS_PP_CENTERS)
    shares = np.bincount(groups.ravel(), minlength=_BORDER_COLOURS) / len(samples)
    far = np.stack([np.linalg.norm(lab - c, axis=2) for c in centres])
    # A colour that only a little of the border has may be the thing itself reaching the border: it counts less.
    far += (30 * np.clip(0.12 - shares, 0, 1) / 0.12)[:, None, None]
    distance = far.min(axis=0)
    distance = cv2.GaussianBlur(distance, (0, 0), max(height, width) / 120)
    distance /= max(float(np.percentile(distance, 98)), 10.0)
    salience: Floats = np.clip(distance * _centre(height, width), 0, 1).astype(np.float32)
    return salience


def _centre(height: int, width: int) -> Floats:
    ys = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    xs = np.linspace(-1, 1, width, dtype=np.float32)[None]
    near: Floats = np.exp(-0.9 * (xs**2 + ys**2)).astype(np.float32)
    return near


def _labels(salience: Floats) -> Bytes:
    """Seeds for GrabCut: Otsu's threshold splits likely from unlikely, the strongest are sure."""
    grey = np.rint(salience * 255).astype(np.uint8)
    split, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    labels = np.where(grey > split, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[grey > max(split * 1.8, 200)] = cv2.GC_FGD
    labels[grey < split * 0.25] = cv2.GC_BGD
    if not (labels & 1).any():
        labels[_ellipse(labels.shape) > 0] = cv2.GC_PR_FGD
    return labels


def _ellipse(shape: tuple[int, ...]) -> Bytes:
    """Mark the middle: the last guess where colours say nothing."""
    height, width = shape[:2]
    mask = np.zeros((height, width), np.uint8)
    cv2.ellipse(mask, (width // 2, height // 2), (max(1, width * 2 // 5), max(1, height * 2 // 5)), 0, 0, 360, 255, -1)
    return mask
