"""Separates a subject from its background, given only a rough guess where it lies.

Two colour histograms, subject's and background's, that also know *where* a colour was seen (dark hair is subject
near the head, a dark wall is not), are filled by the guess and sharpen it in turn: expectation maximisation on a
bilateral grid (Chen, Paris, Durand 2007). What it leaves open, GrabCut (Rother 2004) cuts along the edges.
"""

import cv2
import numpy as np

from engine.operators.guided import guided
from engine.operators.pixels import Bytes, Floats

_CELLS = (14, 10, 10)  # of L, a, b; a and b rarely leave their middle half
_PLACES = 6  # cells along the longer edge
_ROUNDS = 5
_MOST = 4.5  # log-odds that colours may add
_SURE = 3.6  # log-odds; about 97 %
_WALK_SIDE = 128
_FAR = 1e3
_EPSILON = 2e-4


def separate(image: Bytes, prior: Floats, reach: Floats) -> Bytes:
    """Return the hard mask (255 = subject) of a small RGB picture.

    `prior` holds log-odds, +-9 being certain; `reach` says how many log-odds may come from how easily a pixel is
    reached from the certain ones.
    """
    lab = cv2.cvtColor(cv2.bilateralFilter(image, 5, 25, 5), cv2.COLOR_RGB2Lab)
    guide = lab.astype(np.float32) / 255
    radius = max(2, max(prior.shape) // 80)
    prior = prior + reach * _nearness(guide, prior)
    odds = prior
    for _ in range(_ROUNDS):
        weight = 1 / (1 + np.exp(-np.clip(odds, -9, 9)))
        seen = _evidence(lab, weight)
        odds = np.where(np.abs(prior) > 8, prior, prior + np.clip(seen, -_MOST, _MOST))  # noqa: PLR2004  certain
        odds = guided(guide, odds.astype(np.float32), radius, _EPSILON)
    return _cut(lab, odds, prior)


def _nearness(guide: Floats, prior: Floats) -> Floats:
    """Say, -1 to 1, how much easier the certain subject is reached than the certain background."""
    scale = _WALK_SIDE / max(prior.shape)
    small = cv2.resize(guide, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    seeds = cv2.resize(prior, small.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    front, behind = _walk(small, seeds > 8), _walk(small, seeds < -8)  # noqa: PLR2004  certain
    return cv2.resize((behind - front) / (behind + front + 1e-3), prior.shape[::-1])


def _walk(guide: Floats, seeds: Bytes) -> Floats:
    """Geodesic distance from the seeds, where a step costs its colour difference and a little for its length."""
    reach: Floats = np.where(seeds, 0, _FAR).astype(np.float32)
    padded = cv2.copyMakeBorder(guide, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=(_FAR, _FAR, _FAR))
    reach = cv2.copyMakeBorder(reach, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=(_FAR,))
    steps = [(0, 1), (1, 0), (1, 1), (1, -1)]
    costs = [np.linalg.norm(padded - np.roll(padded, step, (0, 1)), axis=2) + 0.004 for step in steps]
    for _ in range(2 * _WALK_SIDE):
        before = reach
        for (dy, dx), cost in zip(steps, costs, strict=True):
            reach = np.minimum(reach, np.roll(reach, (dy, dx), (0, 1)) + cost)
            reach = np.minimum(reach, np.roll(reach + cost, (-dy, -dx), (0, 1)))
        if np.array_equal(before, reach):
            break
    return reach[1:-1, 1:-1]


def _evidence(lab: Bytes, weight: Floats) -> Floats:
    """Log-ratio of subject and background in each pixel's cell, averaged over two shifted grids."""
    return (_grid(lab, weight, 0.0) + _grid(lab, weight, 0.5)) / 2


def _grid(lab: Bytes, weight: Floats, shift: float) -> Floats:
    height, width = weight.shape
    cell = max(height, width) / _PLACES
    ys, xs = np.mgrid[0:height, 0:width]
    light, green, blue = (lab[..., i].astype(np.float32) for i in range(3))
    axes = [
        (light / 255 * (_CELLS[0] - 1) + shift, _CELLS[0] + 1),
        (np.clip((green - 128) / 8 + 5, 0, 9) + shift, _CELLS[1] + 1),
        (np.clip((blue - 128) / 8 + 5, 0, 9) + shift, _CELLS[2] + 1),
        (ys / cell + shift, int(height / cell) + 2),
        (xs / cell + shift, int(width / cell) + 2),
    ]
    shape = tuple(size for _, size in axes)
    index = np.ravel_multi_index([np.floor(a).astype(np.int32) for a, _ in axes], shape, mode="clip").ravel()
    totals = []
    for amount in (np.maximum(2 * weight - 1, 0), np.maximum(1 - 2 * weight, 0)):
        grid = np.bincount(index, amount.ravel(), int(np.prod(shape))).reshape(shape)
        for axis in range(len(shape)):
            grid = _blur(grid, axis)
        totals.append(grid)
    front, behind = totals
    least = 3e-5 * weight.size
    ratio: Floats = np.log((front + least) / (behind + least)).ravel()[index]
    odds: Floats = ratio.reshape(height, width).astype(np.float32)
    return odds


def _blur(grid: Floats, axis: int) -> Floats:
    """Blur along one axis by 1-2-1."""
    grid = np.moveaxis(grid, axis, 0)
    result = grid * 2
    result[1:] += grid[:-1]
    result[:-1] += grid[1:]
    blurred: Floats = np.moveaxis(result / 4, 0, axis)
    return blurred


def _cut(lab: Bytes, odds: Floats, prior: Floats) -> Bytes:
    labels = np.where(odds > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[(odds > _SURE) | (prior > 8)] = cv2.GC_FGD  # noqa: PLR2004
    labels[(odds < -_SURE) | (prior < -8)] = cv2.GC_BGD  # noqa: PLR2004
    if len(np.unique(labels & 1)) > 1:
        cv2.setRNGSeed(1)  # its k-means draws lots
        cv2.grabCut(lab, labels, (0, 0, 1, 1), np.zeros((1, 65)), np.zeros((1, 65)), 2, cv2.GC_INIT_WITH_MASK)
    return ((labels & 1) * 255).astype(np.uint8)
