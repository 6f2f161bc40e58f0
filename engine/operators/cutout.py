"""Cuts the subject out: people by their faces, things by what stands out, stamps by their ink."""

from typing import Literal

import cv2
import numpy as np
from PIL import Image

from engine.operators.developed import Developed
from engine.operators.faces import find_faces
from engine.operators.layers import lay
from engine.operators.matting import Matte, matte
from engine.operators.person import person_mask
from engine.operators.pixels import Bytes, rgb
from engine.operators.stamp import stamp_matte
from engine.operators.thing import thing_mask
from imaging.operations import Cutout

Kind = Literal["person", "object", "stamp"]
_SMALLEST_FACE = 0.45
"""Faces smaller than this share of the main one belong to the background."""


def cutout(operation: Cutout, image: Image.Image) -> Developed:
    """Cut out and, if asked, crop to the subject; mask (L) as `output` has it, RGBA for png, RGB for jpg.

    `foreground_rect` is in the incoming picture's pixels also when the result is cropped.
    """
    kind, found = _find(operation.type, rgb(image))
    subject = Image.fromarray(found.foreground)
    alpha = Image.fromarray(found.alpha)
    if image.mode == "RGBA":  # what was transparent stays so
        alpha = Image.fromarray(cv2.multiply(found.alpha, np.asarray(image.getchannel("A")), scale=1 / 255))
    subject.putalpha(alpha)
    rect = _bounds(np.asarray(alpha))
    if operation.crop:
        x, y, width, height = rect
        box = (x, y, x + width, y + height)
        subject, alpha = subject.crop(box), alpha.crop(box)
    if operation.format == "jpg":
        subject = lay(subject, operation.background)
    return Developed(
        image=None if operation.output == 3 else subject,  # noqa: PLR2004  the wire's "mask only"
        mask=None if operation.output == 2 else alpha,  # noqa: PLR2004  the wire's "image only"
        foreground_rect=rect,
        detail=f"Cut out as {kind} by rule, no neural weights",
        result_type=kind,
    )


def _find(kind: Kind | None, pixels: Bytes) -> tuple[Kind, Matte]:
    """Cut out as asked; when not asked, a face makes it a person. A person without a face is cut out as a thing."""
    if kind == "stamp":
        return "stamp", stamp_matte(pixels)
    faces = [] if kind == "object" else find_faces(pixels)
    if faces:
        faces = [face for face in faces if face.size > _SMALLEST_FACE * faces[0].size]
        return "person", matte(pixels, person_mask(pixels, faces))
    return kind or "object", matte(pixels, thing_mask(pixels))


def _bounds(alpha: Bytes) -> tuple[int, int, int, int]:
    """Return (x, y, width, height) of what is visible; all of the picture when nothing is."""
    x, y, width, height = cv2.boundingRect((alpha > 12).astype(np.uint8))  # noqa: PLR2004  fainter is not seen
    return (x, y, width, height) if width else (0, 0, alpha.shape[1], alpha.shape[0])
