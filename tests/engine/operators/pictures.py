"""The public-domain photographs that scikit-image and matplotlib carry, and outlines of heads marked by hand."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from engine.operators import Developed, develop
from imaging.operations import Operation

# The head with hair or cap, down to a row given as the last two points' y; pixels of the originals.
ASTRONAUT_HEAD = (
    *((233, 16), (255, 22), (275, 33), (288, 45), (296, 60), (300, 85), (297, 105), (285, 120), (270, 135)),
    *((173, 122), (160, 112), (155, 100), (153, 75), (157, 60), (170, 48), (188, 37), (205, 22)),
)
HOPPER_HEAD = (
    *((250, 24), (285, 30), (300, 42), (330, 50), (350, 75), (357, 87), (368, 95), (371, 140), (368, 180)),
    *((374, 200), (365, 250), (165, 250), (160, 200), (148, 185), (145, 140), (150, 110), (165, 85)),
    *((180, 60), (200, 45), (220, 35)),
)


@cache
def photo(name: str) -> Image.Image:
    """Open a photograph as RGB: "hopper", or a name of scikit-image's data."""
    package, path = ("skimage", f"data/{name}.{'jpg' if name == 'rocket' else 'png'}")
    if name == "hopper":
        package, path = ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg")
    spec = find_spec(package)
    assert spec
    assert spec.origin
    return Image.open(Path(spec.origin).parent / path).convert("RGB")


@cache
def half(name: str) -> Image.Image:
    """Open a photograph at half its size, where a test needs no more."""
    return photo(name).reduce(2)


@cache
def grey(name: str) -> Image.Image:
    """Open a photograph as its black-and-white print, at half its size."""
    return half(name).convert("L").convert("RGB")


@cache
def developed(operation: Operation, name: str, *, old: bool = False) -> Developed:
    """Develop a photograph, or its black-and-white print, once for all tests that look at the same result."""
    return develop(operation, grey(name) if old else photo(name))


def overlap(alpha: Image.Image, outline: tuple[tuple[int, int], ...]) -> float:
    """Shared area over joint area of the mask and a hand-marked outline, in the outline's rows and surroundings."""
    marked = Image.new("L", alpha.size)
    ImageDraw.Draw(marked).polygon(outline, fill=255)
    bottom = max(y for _, y in outline)
    inside, found = (np.asarray(each)[:bottom] > 127 for each in (marked, alpha))
    return float((inside & found).sum() / (inside | found).sum())


def array(image: Image.Image | None) -> npt.NDArray[np.float64]:
    """Return the pixels as floats, to subtract without wrapping."""
    assert image
    return np.asarray(image).astype(np.float64)
