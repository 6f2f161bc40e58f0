"""Colorize: real colours, lightness kept, skin warm, honest about how it was done."""

import cv2
import numpy as np
import pytest
from PIL import Image

from engine.operators import develop
from imaging.operations import Colorize

from .pictures import array, developed, grey, half, photo


@pytest.mark.parametrize("name", ["astronaut", "coffee"])
def test_colours_come_and_lightness_stays(name: str) -> None:
    """A grey photo gets chroma everywhere it matters, and its lightness moves by a few steps at most."""
    result = developed(Colorize(), name, old=True)
    assert result.image
    assert (result.image.size, result.image.mode) == (grey(name).size, "RGB")
    before, after = (
        cv2.cvtColor(np.asarray(each), cv2.COLOR_RGB2Lab).astype(int) for each in (grey(name), result.image)
    )
    assert np.hypot(after[..., 1] - 128, after[..., 2] - 128).mean() > 4
    assert np.percentile(np.abs(after[..., 0] - before[..., 0]), 99) <= 4
    assert "no neural weights" in result.detail


def test_skin_is_warmer_than_the_wall() -> None:
    """On a portrait the face is redder than the background behind it."""
    pixels = array(developed(Colorize(), "astronaut", old=True).image)
    warmth = pixels[..., 0] - pixels[..., 2]
    assert warmth[48:70, 103:122].mean() > warmth[3:30, 175:200].mean() + 25


def test_sky_is_blue_and_grass_green() -> None:
    """Outdoors the smooth light top turns blue and the textured ground green."""
    pixels = array(develop(Colorize(), photo("camera")).image)
    sky, grass = pixels[20:60, 300:480].mean(axis=(0, 1)), pixels[400:480, 380:480].mean(axis=(0, 1))
    assert sky[2] > sky[0] + 10
    assert grass[1] > max(grass[0], grass[2]) + 5


def test_old_colours_are_put_aside() -> None:
    """A colour photo comes out as its black-and-white copy does, but for rounding."""
    image = half("coffee")
    lab = cv2.cvtColor(np.asarray(image), cv2.COLOR_RGB2Lab)
    lab[..., 1:] = 128
    toneless = Image.fromarray(cv2.cvtColor(lab, cv2.COLOR_Lab2RGB))
    one, two = (array(develop(Colorize(), each).image) for each in (image, toneless))
    assert np.percentile(np.abs(one - two), 99) <= 6
