"""Finds the thing that a picture shows: odd in colour, sharp and in the middle, not still; then its outline is cut."""

import cv2
import numpy as np

from engine.operators.cues import oddness, sharpness, stillness
from engine.operators.pixels import Bytes, Floats, shrink
from engine.operators.regions import tidy
from engine.operators.separate import separate

WORK_SIDE = 512
_ROUGH_SIDE = 256  # larger, fine detail is mostly noise, and fur is full of edges
_BORDER = 0.04  # of the shorter edge
_NARROWEST = 12  # pixels; a narrower strip shows no thing apart from its background
_REACH = 2.0  # log-odds
_HOLE = 0.15  # of the thing; a cup's inside is no background
_DOUBT = 0.04  # of the longer edge; further inside or outside, the rough mask is certain


def thing_mask(image: Bytes) -> Bytes:
    """Return the hard mask (255 = thing) of an RGB picture, at most WORK_SIDE long; all of it where nothing stands out.

    A picture handed back whole is a smaller disappointment than a piece of it that means nothing.
    """
    small, _ = shrink(image, WORK_SIDE)
    whole = np.full(small.shape[:2], 255, np.uint8)
    if min(small.shape[:2]) < _NARROWEST:
        return whole
    rough, _ = shrink(small, _ROUGH_SIDE)
    mask = _separate(rough, _prior(rough))
    if rough is not small:
        mask = _separate(small, _about(cv2.resize(mask, small.shape[1::-1])))
    return mask if 0.005 < (mask > 0).mean() < 0.98 else whole  # noqa: PLR2004  found nothing, or everything


def _separate(image: Bytes, prior: Floats) -> Bytes:
    mask = separate(image, prior, np.full(prior.shape, _REACH, np.float32))
    return tidy(mask, max(1, round(max(mask.shape) / 250)), hole=_HOLE)


def _prior(image: Bytes) -> Floats:
    """Log-odds that a pixel is the thing's; weights chosen on thirteen photographs: ADR 4."""
    lab = cv2.cvtColor(cv2.bilateralFilter(image, 5, 25, 5), cv2.COLOR_RGB2Lab)
    edge = _edge(lab.shape)
    striking = np.minimum(0.4 * oddness(lab, edge) + 0.8 * sharpness(image), 1)
    ys, xs = np.linspace(-1, 1, lab.shape[0])[:, None], np.linspace(-1, 1, lab.shape[1])[None]
    odds = np.clip(2.8 - 4.2 * np.sqrt(xs**2 + ys**2) + 3 * (striking - _split(striking)), -5, 5)
    background = edge & (odds < -2)  # noqa: PLR2004  the border, where nothing speaks for the thing
    odds = np.clip(odds - 5 * stillness(lab), -5, 5)
    odds[background] = -9
    odds[(odds > np.percentile(odds, 95)) & (odds > 1)] = 9
    prior: Floats = odds.astype(np.float32)
    return prior


def _about(rough: Bytes) -> Floats:
    """Log-odds from a rough mask: open at its edge, certain away from it."""
    inside = (rough > 127).astype(np.uint8)  # noqa: PLR2004  the middle
    away = cv2.distanceTransform(inside, cv2.DIST_L2, 3) - cv2.distanceTransform(1 - inside, cv2.DIST_L2, 3)
    away /= _DOUBT * max(rough.shape)
    prior: Floats = np.where(np.abs(away) > 1, 9 * np.sign(away), 1.5 * np.sign(away) + 3 * away).astype(np.float32)
    return prior


def _edge(shape: tuple[int, ...]) -> Bytes:
    """Mark the picture's border."""
    rim = max(2, round(_BORDER * min(shape[:2])))
    edge = np.ones(shape[:2], bool)
    edge[rim:-rim, rim:-rim] = False
    return edge


def _split(values: Floats) -> float:
    """Return Otsu's threshold of values 0-1.2."""
    scaled = np.rint(values * 200).astype(np.uint8)
    split, _ = cv2.threshold(scaled, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    return float(split) / 200
