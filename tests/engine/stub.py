"""Operators that workers run in tests; the EXIF-free picture's size tells them how to behave."""

import os
import time
from pathlib import Path

from PIL import Image, ImageOps

from engine.operators.developed import Developed, NoFace, OperatorError
from imaging.operations import Cutout, IdPhoto, Operation

__all__ = ["CRASH", "FACELESS", "HANG", "REFUSED", "SLOW", "NoFace", "OperatorError", "develop", "warm"]

CRASH, HANG, FACELESS, REFUSED, SLOW, BROKEN = ((width, 10) for width in (11, 12, 13, 14, 15, 16))


def warm() -> None:
    """Load nothing."""


def develop(operation: Operation, image: Image.Image) -> Developed:
    """Crash, hang, fail or invert, by the picture's size."""
    if image.size == CRASH:
        os._exit(3)
    if image.size == HANG:
        time.sleep(60)
    while image.size == SLOW and not Path(os.environ["STUB_GATE"]).exists():
        time.sleep(0.01)
    if image.size == FACELESS:
        raise NoFace("nobody")
    if image.size == REFUSED:
        raise OperatorError("too dull")
    if image.size == BROKEN:
        raise RuntimeError("a fault of ours")
    return _inverted(operation, image.convert("RGB"))


def _inverted(operation: Operation, image: Image.Image) -> Developed:
    size = (operation.width, operation.height) if isinstance(operation, IdPhoto) else image.size
    result = ImageOps.invert(image).resize(size)
    if not isinstance(operation, Cutout):
        return Developed(result)
    mask = Image.new("L", size, 255)
    if operation.format == "png":
        result.putalpha(mask)
    return Developed(
        image=None if operation.output == 3 else result,
        mask=None if operation.output == 2 else mask,
        foreground_rect=(1, 2, 3, 4),
        result_type="person",
    )
