"""What Telegram does to pictures: recompress a photo to JPEG in several sizes, make a file's thumbnail."""

import io
from dataclasses import dataclass

from PIL import Image, ImageOps, UnidentifiedImageError

from sandbox.errors import bad_request

PHOTO_BYTES = 10 * 2**20
PHOTO_SUM_OF_SIDES = 10_000
PHOTO_RATIO = 20
SIDES = {"s": 90, "m": 320, "x": 800, "y": 1280}  # core.telegram.org/api/files#image-thumbnail-types
THUMBNAIL_SIDE = 320
QUALITY = 87


@dataclass(frozen=True)
class Jpeg:
    """One size of a photo."""

    data: bytes
    width: int
    height: int


def check_photo(data: bytes) -> None:
    """Refuse with 400 what a bot may not send as a photo: over 10 MB, 10,000 px of both sides, or 20 to 1."""
    if len(data) > PHOTO_BYTES:
        raise bad_request(
            f"file of size {len(data)} bytes is too big for a photo; the maximum size is {PHOTO_BYTES} bytes"
        )
    size = _open(data).size
    if sum(size) > PHOTO_SUM_OF_SIDES or max(size) > PHOTO_RATIO * min(size):
        raise bad_request("PHOTO_INVALID_DIMENSIONS")


def recompress(data: bytes) -> list[Jpeg]:
    """Return the photo's sizes, smallest first, at most 1280 px; alpha is laid on white; 400 for no picture."""
    image = _open(data)
    try:
        image.draft("RGB", (SIDES["y"], SIDES["y"]))
        image = _on_white(ImageOps.exif_transpose(image))
    except (OSError, ValueError, SyntaxError):
        raise bad_request("IMAGE_PROCESS_FAILED") from None
    return _sizes(image)


def _sizes(image: Image.Image) -> list[Jpeg]:
    """Shrink from size to size, so that small ones cost little."""
    made: list[Jpeg] = []
    for side in sorted(SIDES.values(), reverse=True):
        if max(image.size) > side or not made:
            if max(image.size) > side:
                image = ImageOps.contain(image, (side, side), Image.Resampling.BICUBIC)
            out = io.BytesIO()
            image.save(out, "JPEG", quality=QUALITY)
            made.append(Jpeg(out.getvalue(), *image.size))
    return made[::-1]


def thumbnail(data: bytes) -> Jpeg | None:
    """Return the thumbnail of a file that is a picture (at most 320 px), or None."""
    try:
        image = _open(data)
        image.draft("RGB", (THUMBNAIL_SIDE, THUMBNAIL_SIDE))
        image = _on_white(ImageOps.exif_transpose(image))
    except Exception:  # noqa: BLE001  whatever is wrong with the file, it merely has no thumbnail
        return None
    image.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.BICUBIC)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=QUALITY)
    return Jpeg(out.getvalue(), *image.size)


def _open(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data))
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise bad_request("IMAGE_PROCESS_FAILED") from None


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")
