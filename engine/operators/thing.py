"""Finds the thing that a picture shows: what differs from the border's colours and lies in the middle; then GrabCut."""

import cv2
import numpy as np

from engine.operators.pixels import Bytes, Floats, shrink
from engine.operators.regions import tidy
from engine.operators.separate import separate

WORK_SIDE = 512
_BORDER = 0.04  # of the shorter edge
_BORDER_COLOURS = 5
_NARROWEST = 12  # pixels; a narrower strip shows no thing apart from its background
_REACH = 2.0  # log-odds
_HOLE = 0.15  # of the thing; a cup's inside is no background


def thing_mask(image: Bytes) -> Bytes:
    """Return the hard mask (255 = thing) of an RGB picture, at most WORK_SIDE long; never empty; all of a strip."""
    small, _ = shrink(image, WORK_SIDE)
    if min(small.shape[:2]) < _NARROWEST:
        return np.full(small.shape[:2], 255, np.uint8)
    salience = _salience(small)
    prior = _prior(salience)
    mask = separate(small, prior, np.full(prior.shape, _REACH, np.float32))
    mask = tidy(mask, max(1, round(max(mask.shape) / 250)), hole=_HOLE)
    share = float((mask > 0).mean())
    return mask if 0.005 < share < 0.98 else _ellipse(mask.shape)  # noqa: PLR2004  found nothing, or everything


def _prior(salience: Floats) -> Floats:
    """Log-odds from how unlike the border a colour is and how near the middle it lies; the corners are certain."""
    height, width = salience.shape
    ys, xs = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None]
    middle = 2.5 - 4.2 * np.sqrt(xs**2 + ys**2)
    prior: Floats = np.clip(middle + 5 * (salience - _split(salience)), -5, 5).astype(np.float32)
    rim = max(2, round(_BORDER * min(height, width)))
    edge = np.ones((height, width), bool)
    edge[rim:-rim, rim:-rim] = False
    prior[edge & (prior < -2)] = -9  # noqa: PLR2004  the border, where nothing speaks for the thing
    prior[(prior > np.percentile(prior, 95)) & (prior > 1)] = 9
    return prior


def _split(salience: Floats) -> float:
    """Return Otsu's threshold."""
    split, _ = cv2.threshold(np.rint(salience * 255).astype(np.uint8), 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    return float(split) / 255


def _salience(image: Bytes) -> Floats:
    """How unlike the border each pixel is, 0-1."""
    lab = cv2.cvtColor(cv2.bilateralFilter(image, 5, 25, 5), cv2.COLOR_RGB2Lab).astype(np.float32)
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
    salience: Floats = np.clip(distance, 0, 1)
    return salience


def _ellipse(shape: tuple[int, ...]) -> Bytes:
    """Mark the middle: the last guess where colours say nothing."""
    height, width = shape[:2]
    mask = np.zeros((height, width), np.uint8)
    cv2.ellipse(mask, (width // 2, height // 2), (max(1, width * 2 // 5), max(1, height * 2 // 5)), 0, 0, 360, 255, -1)
    return mask
