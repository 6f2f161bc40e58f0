"""Arrays of pixels: their types, and the few conversions that all operators share."""

from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

# OpenCV's own types tell no dtypes apart, so neither can these: the names say what the checker cannot.
Bytes: TypeAlias = npt.NDArray[Any]
"""Height x width x 3 sRGB, or height x width of one channel; 0-255."""
Floats: TypeAlias = npt.NDArray[Any]
"""float32 of the same shapes; 0-1 unless a function says otherwise."""


def rgb(image: Image.Image) -> Bytes:
    """Return the picture's RGB; what was transparent lies on white, as a print would show it."""
    if image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("RGB"))


def shrink(image: Bytes, side: int) -> tuple[Bytes, float]:
    """Shrink so that the longer edge is at most `side`; also return the factor (1.0: unchanged)."""
    height, width = image.shape[:2]
    factor = min(1.0, side / max(height, width))
    if factor == 1.0:
        return image, factor
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), factor


def as_bytes(values: Floats) -> Bytes:
    """Round and clip values of 0-255 to bytes."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
