"""The operators: what the engine does to a picture, one file per operation, all by rule.

`develop` is all that the server calls, inside a worker process. Neural weights come in at one seam, `OPERATORS`:
an operator is a callable (operation, upright sRGB picture) -> Developed, so one that runs weights from a folder
replaces its entry here, and nothing outside this room notices but `Developed.detail`.
"""

from collections.abc import Callable, Mapping
from typing import Any

import cv2
from PIL import Image

from engine.operators.colorize import colorize
from engine.operators.cutout import cutout
from engine.operators.developed import Developed, NoFace, OperatorError
from engine.operators.enhance import enhance
from engine.operators.faces import find_faces
from engine.operators.idphoto import idphoto
from engine.operators.pixels import rgb
from imaging.operations import Operation

__all__ = ["OPERATORS", "Developed", "NoFace", "OperatorError", "develop", "warm"]

# Any: each operator takes its own model; `develop` picks by the model's name, so the two always match.
OPERATORS: Mapping[str, Callable[[Any, Image.Image], Developed]] = {
    "colorize": colorize,
    "enhance": enhance,
    "idphoto": idphoto,
    "cutout": cutout,
}


def develop(operation: Operation, image: Image.Image) -> Developed:
    """Develop an upright sRGB picture (RGB or RGBA, from imaging.codec.decode). Raises NoFace, OperatorError."""
    try:
        return OPERATORS[operation.name](operation, image)
    except cv2.error as error:
        raise OperatorError(f"OpenCV gave up on {operation.name}: {error.err}") from error


def warm() -> None:
    """Ready a worker process: one thread each (the pool is the parallelism), cascades loaded."""
    cv2.setNumThreads(1)
    find_faces(rgb(Image.new("RGB", (64, 64))))
