"""Lifts the red or blue ink of a stamp off its paper; the paper's own colour and black writing stay behind."""

import cv2
import numpy as np

from engine.operators.matting import Matte
from engine.operators.pixels import Bytes, Floats, shrink


def stamp_matte(image: Bytes) -> Matte:
    """Find red and blue ink: alpha grows with the ink's colourfulness against the paper around it."""
    red, blue = _ink(image)
    ink = red if red.sum() >= blue.sum() else blue
    solid = float(np.percentile(ink[ink > 0.05], 90)) if (ink > 0.05).any() else 1.0  # noqa: PLR2004  paper's grain
    alpha = np.clip((ink / max(solid, 0.12) - 0.12) / 0.7, 0, 1)
    strong = image[alpha > 0.95] if (alpha > 0.95).any() else image.reshape(-1, 3)  # noqa: PLR2004  pure ink
    colour = np.median(strong, axis=0)
    # Where the ink is thin its colour is the paper's: there the stamp's own colour stands in.
    part = alpha[..., None].astype(np.float32)
    mixed = np.rint(part * image + (1 - part) * colour.astype(np.float32)).astype(np.uint8)
    return Matte(np.rint(alpha * 255).astype(np.uint8), mixed)


def _ink(image: Bytes) -> tuple[Floats, Floats]:
    """How much red, and how much blue, each pixel has beyond the paper's."""
    tiny, _ = shrink(image, 256)
    paper = cv2.medianBlur(cv2.dilate(tiny, np.ones((9, 9))), 31)
    paper = cv2.resize(paper, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    clean = np.clip(image / np.maximum(paper, 40).astype(np.float32), 0, 1).astype(np.float32)
    r, g, b = clean[..., 0], clean[..., 1], clean[..., 2]
    red = np.clip(r - np.maximum(g, b), 0, 1)
    blue = np.clip(b - np.maximum(r, (r + g) / 2), 0, 1)
    return red, blue
