"""Makes photos clearer and larger: noise measured and taken out, Lanczos, sharpened without halos, local contrast."""

import cv2
import numpy as np
from PIL import Image

from engine.operators.developed import Developed
from engine.operators.faces import find_faces
from engine.operators.pixels import Bytes, Floats, as_bytes
from imaging.operations import Enhance

LARGEST_SIDE = 4096
_MOST_FACES = 10  # as many as the wire's type=face takes
_SKIN_SHARE = 0.45  # how much of the sharpening skin gets


def factor(scale: int | None, longer: int) -> float:
    """Return the enlargement: as asked, else by size as the vendor has it; the result stays within LARGEST_SIDE."""
    if scale is None:
        scale = 4 if longer <= 512 else 2 if longer <= 1024 else 1  # noqa: PLR2004  API_CONTRACT, scale auto
    return min(float(scale), max(1.0, LARGEST_SIDE / longer))


def enhance(operation: Enhance, image: Image.Image) -> Developed:
    """Enhance; RGBA stays RGBA, its alpha only resampled."""
    pixels = np.asarray(image.convert("RGB"))
    times = factor(operation.scale, max(image.size))
    size = (round(image.width * times), round(image.height * times))
    lab = cv2.cvtColor(pixels, cv2.COLOR_RGB2Lab)
    lab = _denoise(lab, 1.6 if operation.type == "face" else 1.0)
    noise = 0.5 * _noise(lab[..., 0])
    light = _contrast(lab[..., 0])
    keep = _keep(pixels) if operation.type == "face" else None
    lab = np.dstack([light, lab[..., 1:]])
    lab = np.asarray(Image.fromarray(lab).resize(size, Image.Resampling.LANCZOS))
    sharp = _sharpen(lab[..., 0], light, times, noise, keep)
    result = Image.fromarray(cv2.cvtColor(np.dstack([sharp, lab[..., 1:]]), cv2.COLOR_Lab2RGB).astype(np.uint8))
    if image.mode == "RGBA":
        result.putalpha(image.getchannel("A").resize(size, Image.Resampling.LANCZOS))
    return Developed(result, detail=f"Enhanced {times:g}x by rule, no neural weights")


def _noise(light: Bytes) -> float:
    """Estimate the noise's standard deviation, 0-255 (Immerkaer 1996), in the flatter half of the picture."""
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    return float(np.median(np.abs(cv2.filter2D(light, cv2.CV_32F, kernel))) / 0.6745 / 6)


def _denoise(lab: Bytes, strength: float) -> Bytes:
    """Smooth where the picture is noisy; colours, where grain is ugliest and sharpness unseen, more than light."""
    sigma = _noise(lab[..., 0]) * strength
    light = cv2.bilateralFilter(lab[..., 0], 5, 2.2 * sigma, 1.6) if sigma > 0.7 else lab[..., 0]  # noqa: PLR2004
    colour = cv2.bilateralFilter(lab, 7, 6 + 3 * sigma, 2.5)[..., 1:]
    return np.dstack([light, colour]).astype(np.uint8)


def _contrast(light: Bytes) -> Bytes:
    """Lift local contrast mildly: a third of CLAHE."""
    lifted = cv2.createCLAHE(clipLimit=1.5, tileGridSize=(4, 4)).apply(light)
    return as_bytes(cv2.addWeighted(light, 0.7, lifted, 0.3, 0))


def _keep(pixels: Bytes) -> Floats:
    """Share of sharpening per pixel: less within faces, with soft edges."""
    keep = np.ones(pixels.shape[:2], np.float32)
    for face in find_faces(pixels)[:_MOST_FACES]:
        middle = (round(face.x), round(face.y))
        cv2.ellipse(
            keep, middle, (round(0.5 * face.size), round(0.68 * face.size)), -face.tilt, 0, 360, _SKIN_SHARE, -1
        )
        keep = cv2.GaussianBlur(keep, (0, 0), max(1.0, face.size / 12)).astype(np.float32)
    return keep


def _sharpen(light: Bytes, before: Bytes, times: float, noise: float, keep: Floats | None) -> Bytes:
    """Sharpen in two widths; no pixel leaves the range of its neighbours `before`, so edges get no halos."""
    base = light.astype(np.float32)
    result = base.copy()
    for sigma, amount in ((0.5 * times + 0.3, 0.9), (1.0 * times, 0.5)):
        detail = base - cv2.GaussianBlur(base, (0, 0), sigma)
        result += amount * np.sign(detail) * np.maximum(np.abs(detail) - noise, 0)  # grain is no detail
    around = np.ones((3, 3), np.uint8)
    size = light.shape[::-1]
    low, high = (cv2.resize(f(before, around), size).astype(np.float32) for f in (cv2.erode, cv2.dilate))
    result = np.clip(result, low - 2, high + 2)
    if keep is not None:
        keep = cv2.resize(keep, light.shape[::-1], interpolation=cv2.INTER_LINEAR)
        result = base + keep * (result - base)
    return as_bytes(result)
