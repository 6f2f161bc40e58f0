"""The guided filter (He, Sun, Tang 2010) with a colour guide: smooths values along a picture's own edges."""

import cv2
import numpy as np

from engine.operators.pixels import Floats


def guided(guide: Floats, values: Floats, radius: int, epsilon: float) -> Floats:
    """Filter `values` so that their edges follow the colour `guide`; epsilon is a variance of 0-1 colours."""
    slope, offset = coefficients(guide, values, radius, epsilon)
    filtered: Floats = (guide * slope).sum(axis=2) + offset
    return filtered


def coefficients(guide: Floats, values: Floats, radius: int, epsilon: float) -> tuple[Floats, Floats]:
    """Slope (3 channels) and offset of the guided filter's local line values = slope . guide + offset."""
    window = (2 * radius + 1, 2 * radius + 1)
    mean = cv2.blur(guide, window)
    mean_values = cv2.blur(values, window)
    pairs = [(i, j) for i in range(3) for j in range(i, 3)]
    xx, xy, xz, yy, yz, zz = (
        cv2.blur(guide[..., i] * guide[..., j], window) - mean[..., i] * mean[..., j] + epsilon * (i == j)
        for i, j in pairs
    )
    along = cv2.blur(guide * values[..., None], window) - mean * mean_values[..., None]
    # The inverse of the symmetric 3 x 3 covariance by its cofactors.
    a, b, c = yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy
    d, e, f = xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy
    scale = 1 / (xx * a + xy * b + xz * c)
    p, q, r = along[..., 0], along[..., 1], along[..., 2]
    slope = np.stack(
        [(a * p + b * q + c * r) * scale, (b * p + d * q + e * r) * scale, (c * p + e * q + f * r) * scale], axis=2
    )
    offset = mean_values - (slope * mean).sum(axis=2)
    return cv2.blur(slope, window).astype(np.float32), cv2.blur(offset, window).astype(np.float32)
