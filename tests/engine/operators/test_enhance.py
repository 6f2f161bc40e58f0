"""Enhance: sizes as the API has them, sharper, same colours, gentler on faces, less noise."""

from typing import Literal

import cv2
import numpy as np
import pytest
from PIL import Image

from engine.operators import develop
from engine.operators.enhance import factor
from imaging.operations import Enhance

from .pictures import array, photo


@pytest.mark.parametrize(
    ("scale", "longer", "times"),
    [(None, 512, 4), (None, 513, 2), (None, 1024, 2), (None, 1025, 1), (4, 1024, 4), (4, 2048, 2), (2, 4096, 1)],
)
def test_factor(scale: int | None, longer: int, times: float) -> None:
    """Automatic scale follows the vendor's steps; no result is longer than 4096 pixels."""
    assert factor(scale, longer) == times


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_size_is_scaled(scale: Literal[1, 2, 4]) -> None:
    """1, 2 and 4 are met to the pixel."""
    result = develop(Enhance(scale=scale), Image.new("RGB", (75, 50), "grey")).image
    assert result
    assert result.size == (75 * scale, 50 * scale)


def _sharpness(image: Image.Image | None, box: tuple[int, int, int, int]) -> float:
    assert image
    return float(cv2.Laplacian(np.asarray(image.crop(box).convert("L")), cv2.CV_64F).var())


def test_sharper_than_plain_resampling_in_the_same_colours() -> None:
    """Twice the size, clearly sharper than Lanczos alone, while each colour channel's mean moves by under 2 %."""
    image = photo("chelsea")
    result = develop(Enhance(scale=2), image).image
    plain = image.resize((902, 600), Image.Resampling.LANCZOS)
    assert _sharpness(result, (0, 0, 902, 600)) > 1.5 * _sharpness(plain, (0, 0, 902, 600))
    assert np.abs(array(result).mean(axis=(0, 1)) - array(plain).mean(axis=(0, 1))).max() < 0.02 * 255


def test_faces_are_treated_gently() -> None:
    """With type=face skin is less sharpened than with clean."""
    cheek = (400, 200, 480, 260)
    clean, face = (develop(Enhance(type=kind, scale=2), photo("astronaut")).image for kind in ("clean", "face"))
    assert _sharpness(face, cheek) < 0.8 * _sharpness(clean, cheek)


def test_no_halos() -> None:
    """Beside a hard edge no pixel leaves the range of the two sides by more than a few steps."""
    edge = Image.new("L", (80, 80), 80)
    edge.paste(170, (40, 0, 80, 80))
    pixels = array(develop(Enhance(scale=2), edge.convert("RGB")).image)
    flat = [pixels[80, x].mean() for x in (10, 150)]
    assert pixels.min() > flat[0] - 8
    assert pixels.max() < flat[1] + 8


def test_noise_falls() -> None:
    """On a flat grey with noise the deviation does not grow."""
    noisy = np.random.default_rng(1).normal(128, 6, (120, 120, 3)).clip(0, 255).astype(np.uint8)
    result = array(develop(Enhance(scale=1), Image.fromarray(noisy)).image)
    assert result.std() < noisy.std()


def test_transparency_is_resampled() -> None:
    """RGBA stays RGBA."""
    result = develop(Enhance(scale=2), Image.new("RGBA", (40, 30), (10, 200, 30, 99))).image
    assert result
    assert (result.mode, result.size) == ("RGBA", (80, 60))
    assert result.getpixel((40, 30))[3] == 99  # type: ignore[index]
