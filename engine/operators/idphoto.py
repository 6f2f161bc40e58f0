"""Makes ID photos: the face found and levelled, cut out, centred and sized as passports have it, on one colour.

ICAO Doc 9303 part 3 (and ISO/IEC 19794-5) want the head, chin to crown, to take 70-80 % of the picture's height,
the face centred, and all of the hair in the picture. A head of 70 % under a margin of 10 % puts the eyes at about
55-60 % from the bottom.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from engine.operators.developed import Developed, NoFace
from engine.operators.faces import Face, find_faces
from engine.operators.layers import lay
from engine.operators.matting import Matte, matte
from engine.operators.person import person_mask
from engine.operators.pixels import Bytes, rgb, shrink
from imaging.operations import IdPhoto

HEAD_SHARE = (0.70, 0.80)
"""Chin to crown over the picture's height: the first is taken unless the body would end above the bottom edge."""
CROWN_MARGIN = 0.10
WIDEST_HEAD = 0.84
"""A head with its hair may take this much of the picture's width before the picture takes in more."""
_LEVEL_FROM = 1.5  # degrees; less is not seen, and turning costs sharpness


@dataclass(frozen=True)
class Frame:
    """What becomes the ID photo, in pixels of the picture; it may reach beyond the picture's sides."""

    left: float
    top: float
    width: float
    height: float


def idphoto(operation: IdPhoto, image: Image.Image) -> Developed:
    """Make exactly `width` x `height` pixels; RGBA if the format is png, RGB on the background if jpg.

    Raises NoFace.
    """
    pixels = rgb(image)
    faces = find_faces(pixels)
    if not faces:
        raise NoFace("no cascade pair found a face")
    pixels, face = _level(*_around(pixels, faces[0], operation.height))
    found = matte(pixels, person_mask(pixels, [face]))
    frame = place(found.alpha, face, operation.width / operation.height)
    photo = _cut(found, frame, (operation.width, operation.height))
    if operation.format == "jpg":
        photo = lay(photo, operation.background)
    return Developed(photo, detail="ID photo by face geometry, no neural weights", result_type="person")


def _around(pixels: Bytes, face: Face, wanted: int) -> tuple[Bytes, Face]:
    """Keep what an ID photo could show, so that small faces are cut out finely, at most twice as fine as `wanted`.

    `wanted` is the ID photo's height; it shows about two face sizes.
    """
    height, width = pixels.shape[:2]
    left, right = max(0, int(face.x - 4 * face.size)), min(width, int(face.x + 4 * face.size))
    top, bottom = max(0, int(face.y - 2.5 * face.size)), min(height, int(face.y + 4.5 * face.size))
    moved = Face(face.x - left, face.y - top, face.size, face.tilt, face.votes)
    part = np.ascontiguousarray(pixels[top:bottom, left:right])
    small, factor = shrink(part, max(512, round(max(part.shape) * wanted / face.size)))
    return small, moved.scaled(factor)


def _level(pixels: Bytes, face: Face) -> tuple[Bytes, Face]:
    """Turn the picture about the face until the eyes are level."""
    if abs(face.tilt) < _LEVEL_FROM:
        return pixels, face
    height, width = pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D((face.x, face.y), face.tilt, 1.0)
    turned = cv2.warpAffine(pixels, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return turned.astype(np.uint8), Face(face.x, face.y, face.size, 0.0, face.votes)


def place(alpha: Bytes, face: Face, aspect: float) -> Frame:
    """Choose the frame from the head's measured top, the chin and the face's middle; `aspect` is width / height."""
    bottom = alpha.shape[0]
    crown = _crown(alpha, face)
    head = face.chin - crown
    # What lies from 10 % above the crown down to the picture's end can be shown; more would hang in the air.
    least, most = (head / share for share in reversed(HEAD_SHARE))
    height = float(np.clip((bottom - crown) / (1 - CROWN_MARGIN), least, most))
    height = max(height, _head_width(alpha, face, crown) / (WIDEST_HEAD * aspect))
    margin = CROWN_MARGIN * height if height <= most else (height - head) / 3
    top = min(crown - margin, bottom - height)
    if crown < 1:  # the picture itself cuts the head off: no gap above the cut
        height = min(height, bottom)
        top = 0.0
    width = height * aspect
    return Frame(face.x - width / 2, top, width, height)


def _crown(alpha: Bytes, face: Face) -> float:
    """Row of the head's top, hair and hat included; a few stray pixels are no head."""
    left, right = max(0, int(face.x - 0.9 * face.size)), int(face.x + 0.9 * face.size)
    rows = (alpha[:, left:right] > 127).sum(axis=1) > 0.06 * face.size  # noqa: PLR2004  half covered
    top = int(np.argmax(rows)) if rows.any() else 0
    return float(min(top, face.y - 0.6 * face.size))


def _head_width(alpha: Bytes, face: Face, crown: float) -> float:
    """Twice the head's wider half above the mouth, hair included; hair that falls wider than two faces may be cut."""
    reach = int(0.95 * face.size)
    middle = int(face.x)
    rows = alpha[int(crown) : int(face.y + 0.2 * face.size), max(0, middle - reach) : middle + reach]
    columns = np.flatnonzero((rows > 127).sum(axis=0) > 0.1 * face.size)  # noqa: PLR2004  half covered
    edges = columns[[0, -1]] + max(0, middle - reach) - middle if columns.size else np.array([0])
    return float(max(2 * np.abs(edges).max(), 1.1 * face.size))


def _cut(found: Matte, frame: Frame, size: tuple[int, int]) -> Image.Image:
    """Resample the frame to `size` as RGBA; what lies beyond the picture is transparent."""
    height, width = found.alpha.shape
    before = [max(0, int(np.ceil(edge))) + 2 for edge in (-frame.left, -frame.top)]
    after = [max(0, int(np.ceil(e))) + 2 for e in (frame.left + frame.width - width, frame.top + frame.height - height)]
    sides = (before[1], after[1], before[0], after[0])
    colour = cv2.copyMakeBorder(found.foreground, *sides, cv2.BORDER_REPLICATE)
    alpha = cv2.copyMakeBorder(found.alpha, before[1], 0, before[0], after[0], cv2.BORDER_CONSTANT, value=(0,))
    alpha = cv2.copyMakeBorder(alpha, 0, after[1], 0, 0, cv2.BORDER_REPLICATE)
    left, top = frame.left + before[0], frame.top + before[1]
    box = (left, top, left + frame.width, top + frame.height)
    photo = Image.fromarray(colour).resize(size, Image.Resampling.LANCZOS, box)
    photo.putalpha(Image.fromarray(alpha).resize(size, Image.Resampling.LANCZOS, box))
    return photo
