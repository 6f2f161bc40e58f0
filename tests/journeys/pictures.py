"""Real photographs, in the public domain, that well-kept packages carry."""

import io
from functools import cache
from importlib.resources import files
from pathlib import Path

import matplotlib as mpl
from PIL import Image

LONGEST = 900  # pixels: about what a phone's chat shows


@cache
def photo(name: str) -> Image.Image:
    """Give `astronaut`, `chelsea`, `coffee` (scikit-image) or `hopper` (matplotlib) as RGB."""
    picture: Image.Image
    if name == "hopper":
        source = Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg"
        picture = Image.open(source)
    else:
        picture = Image.open(io.BytesIO(files("skimage.data").joinpath(f"{name}.png").read_bytes()))
    picture = picture.convert("RGB")
    picture.thumbnail((LONGEST, LONGEST))
    return picture


@cache
def jpeg(name: str, *, grey: bool = False, longest: int = LONGEST) -> bytes:
    """Give a photo as a JPEG file, greyed and shrunk as asked."""
    picture = photo(name).copy()
    picture.thumbnail((longest, longest))
    if grey:
        picture = picture.convert("L").convert("RGB")
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=92)
    return buffer.getvalue()
