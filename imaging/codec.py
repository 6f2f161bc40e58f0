"""Opens strangers' pictures safely and writes ours: limits before pixels, upright, sRGB; blocking, so off the loop."""

from __future__ import annotations

import io
import re
import struct
import threading
import zlib
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

from PIL import Image, ImageOps

from imaging.errors import NotAPicture, PictureTooLarge
from imaging.srgb import to_srgb

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_SIDE: Final = 4096  # pixels; what the providers take (seed 001)
MAX_BYTES: Final = 20 * 2**20  # likewise
# What we open at all: a JPEG is decoded smaller, to 210 MB in memory; others, a WebP twice over, to 600 MB at most.
MAX_PIXELS: Final = {"jpg": 80_000_000, "avif": 40_000_000, "webp": 25_000_000}
MAX_OTHER: Final = 50_000_000  # pixels; phones make as many
MAX_INPUT: Final = 50 * 2**20  # bytes that we convert; a local Bot API server hands over up to 2000 MB
QUALITY: Final = 92  # JPEG: past it files grow and nobody sees why

_ACCEPTED: Final = {
    "jpg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "bmp": "image/bmp",
    "tiff": "image/tiff",
}  # formats that every provider takes (seed 001), with their media types
_PILLOW: Final = {"jpg": "JPEG", "heic": "HEIF"}  # where Pillow's name is not ours in capitals
_MAY_MOVE: Final = frozenset({"gif", "png", "webp", "avif"})  # a JPEG's or TIFF's further pages are no animation
_HEAD: Final = re.compile(
    rb"(?P<jpg>\xff\xd8\xff)|(?P<png>\x89PNG\r\n\x1a\n)|(?P<webp>RIFF....WEBP)|(?P<gif>GIF8[79]a)"
    rb"|(?P<tiff>II[*+]\0|MM\0[*+])|(?P<bmp>BM)"
    rb"|(?P<avif>....ftyp(?:avi[fs]|m[is]f1.{0,44}avif))|(?P<heic>....ftyp(?:hei[cxms]|hev[cx]|m[is]f1))",
    re.DOTALL,
)
# What Pillow's readers raise on hostile bytes, found by feeding them some.
_BROKEN: Final = (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, ArithmeticError, RuntimeError)
_BROKEN_TOO: Final = (struct.error, zlib.error, AttributeError)
_BOMBS: Final = (Image.DecompressionBombError, Image.DecompressionBombWarning)
_SCALABLE: Final = frozenset({"L", "LA", "RGB", "RGBA", "CMYK", "F", "I"})  # there is a mean of two pixels
_turn = threading.Lock()  # one picture decoded at a time: many large ones at once stay in bounded memory

# Pillow's own check stands before ours, also for formats it opens by itself.
Image.MAX_IMAGE_PIXELS = max(MAX_PIXELS.values())


@dataclass(frozen=True, slots=True)
class PictureInfo:
    """What a picture's header says; sides in pixels as stored, before any EXIF rotation."""

    format: str
    width: int
    height: int
    animated: bool = False


@dataclass(frozen=True, slots=True)
class Prepared:
    """A file as providers take it; `changes` says what was done: converted, shrunk, first_frame."""

    file: BinaryIO
    size: int
    filename: str
    content_type: str
    changes: tuple[str, ...] = ()


def sniff(head: bytes) -> str | None:
    """Name a picture's format by its first bytes (16 do, 64 are surer): jpg, png, webp, gif, bmp, tiff, heic, avif."""
    match = _HEAD.match(head)
    return match.lastgroup if match else None


def inspect(file: BinaryIO) -> PictureInfo:
    """Read a picture's header, no pixels. Raises NotAPicture, PictureTooLarge. Leaves the file at its start."""
    with _opened(file) as (kind, image):
        width, height = image.size
        animated = kind in _MAY_MOVE and getattr(image, "is_animated", False)
    file.seek(0)
    return PictureInfo(kind, width, height, animated)


def decode(source: bytes | BinaryIO, *, max_side: int | None = None) -> Image.Image:
    """Return a picture upright, in sRGB, RGB (RGBA if transparent), first frame, its longer side at most `max_side`.

    Raises NotAPicture (also when truncated), PictureTooLarge.
    """
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    with _opened(file) as (_, image):
        if max_side:
            image.draft(None, (max_side, max_side))  # a JPEG is then decoded smaller, in a fraction of the memory
        image.load()
        _turn_upright(image)
        if max_side and image.mode in _SCALABLE:  # the sooner, the fewer pixels are copied, and copied again
            image.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
        picture = to_srgb(image)
    if max_side and max(picture.size) > max_side:
        picture.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    return picture


def encode(image: Image.Image, format: str, *, quality: int = QUALITY, dpi: int | None = None) -> bytes:  # noqa: A002  the wire's word
    """Encode as jpg, png or webp; jpg lays transparency on white. `dpi` is written where the format has a place."""
    out = io.BytesIO()
    options: dict[str, object] = {"dpi": (dpi, dpi)} if dpi and format != "webp" else {}
    if format == "jpg":
        image = _on_white(image)
        # Full colour resolution, or red and blue backgrounds bleed into hair.
        options |= {"quality": quality, "subsampling": 0 if quality >= QUALITY else 2, "optimize": True}
    elif format == "webp":
        options |= {"quality": quality}
    image.save(out, _PILLOW.get(format, format.upper()), **options)
    return out.getvalue()


def encode_within(image: Image.Image, max_bytes: int, *, dpi: int | None = None) -> bytes:
    """Encode as the best JPEG of at most `max_bytes`; the smallest one we make if even that is larger."""
    low, high = 10, 95
    best = encode(image, "jpg", quality=high, dpi=dpi)
    if len(best) <= max_bytes:
        return best
    best = encode(image, "jpg", quality=low, dpi=dpi)
    while high - low > 1:
        quality = (low + high) // 2
        data = encode(image, "jpg", quality=quality, dpi=dpi)
        if len(data) <= max_bytes:
            low, best = quality, data
        else:
            high = quality
    return best


def fit_photo(width: int, height: int, size: int) -> bool:
    """Say whether Telegram takes a file of `size` bytes as a photo (TELEGRAM_FACTS: 10 MB, sides' sum, ratio)."""
    short, long = sorted((width, height))
    return size <= 10_000_000 and short + long <= 10_000 and long <= 20 * short  # noqa: PLR2004  Telegram's numbers


def look(file: BinaryIO, size: int) -> Prepared | None:
    """Do what `prepare` does where a look at the file's two ends is enough, as with nearly all photos; else None.

    Needs no thread for a file in memory. Raises NotAPicture, PictureTooLarge.
    """
    info = inspect(file)
    if _fits(info, size) and info.format in _ACCEPTED and not info.animated and _ends_well(file, info.format):
        return _as_it_is(file, size, info)
    return None


def prepare(file: BinaryIO, size: int) -> Prepared:
    """Make a file of `size` bytes what every provider takes: left as it is where possible, else a JPEG or PNG.

    The file itself is rewritten then, so the caller has but one to close. Raises NotAPicture, PictureTooLarge.
    """
    info = inspect(file)
    fits = _fits(info, size)
    if fits and info.format in _ACCEPTED and not info.animated:
        if not _ends_well(file, info.format):
            with _turn:
                decode(file, max_side=MAX_SIDE // 8)
        return _as_it_is(file, size, info)
    if size > MAX_INPUT:
        raise PictureTooLarge(f"{size} bytes", megabytes=MAX_INPUT // 2**20)
    changes = [] if info.format in _ACCEPTED else ["converted"]
    changes += ["first_frame"] if info.animated else []
    return _rewrite(file, MAX_SIDE, (*changes, *([] if fits else ["shrunk"])))


def shrink(file: BinaryIO, max_side: int = 2048) -> Prepared:
    """Rewrite a file smaller, after a provider's "too large": at most `max_side` and 3/4 of its longer side."""
    info = inspect(file)
    return _rewrite(file, min(max_side, max(info.width, info.height) * 3 // 4 or 1), ("shrunk",))


def _fits(info: PictureInfo, size: int) -> bool:
    return max(info.width, info.height) <= MAX_SIDE and size <= MAX_BYTES


def _as_it_is(file: BinaryIO, size: int, info: PictureInfo) -> Prepared:
    file.seek(0)
    return Prepared(file, size, f"photo.{info.format}", _ACCEPTED[info.format])


def _rewrite(file: BinaryIO, max_side: int, changes: tuple[str, ...]) -> Prepared:
    with _turn:
        picture = decode(file, max_side=max_side)
        kind = "png" if picture.mode == "RGBA" else "jpg"
        data = encode(picture, kind)
        while len(data) > MAX_BYTES:
            picture.thumbnail((picture.width * 3 // 4, picture.height * 3 // 4), Image.Resampling.LANCZOS)
            data = encode(picture, kind)
    file.seek(0)
    file.truncate()
    file.write(data)
    file.seek(0)
    return Prepared(file, len(data), f"photo.{kind}", _ACCEPTED[kind], changes)


def _on_white(image: Image.Image) -> Image.Image:
    if "A" not in image.getbands():
        return image if image.mode in ("RGB", "L") else image.convert("RGB")
    paper = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(paper, image.convert("RGBA")).convert("RGB")


@contextmanager
def _opened(file: BinaryIO) -> Iterator[tuple[str, Image.Image]]:
    """Open a picture with the one reader its first bytes call for; its failures leave as ours."""
    file.seek(0)
    kind = sniff(file.read(64))
    file.seek(0)
    if kind is None:
        raise NotAPicture("unknown first bytes")
    if kind == "heic":
        _learn_heic()
    limit = MAX_PIXELS.get(kind, MAX_OTHER)
    try:
        with Image.open(file, formats=[_PILLOW.get(kind, kind.upper())]) as image:
            if image.width * image.height > limit:
                raise PictureTooLarge(f"{image.size}", megapixels=limit // 10**6)
            yield kind, image
    except _BOMBS as error:
        raise PictureTooLarge("far too many pixels", megapixels=limit // 10**6) from error
    except (*_BROKEN, *_BROKEN_TOO) as error:
        if isinstance(error, OSError) and error.errno:
            raise  # the disk's fault, not the picture's
        raise NotAPicture(f"{kind}: {type(error).__name__}") from error


def _learn_heic() -> None:
    """Teach Pillow HEIC at the first one seen: loading libheif costs every start 50 ms and 7 MB."""
    from pillow_heif import register_heif_opener  # noqa: PLC0415  see above

    register_heif_opener()


def _turn_upright(image: Image.Image) -> None:
    with suppress(*_BROKEN, *_BROKEN_TOO):  # broken EXIF is no reason to refuse a photo
        ImageOps.exif_transpose(image, in_place=True)


def _ends_well(file: BinaryIO, kind: str) -> bool:
    """Say whether a file is surely whole; where this cheap look cannot tell, decoding will."""
    end = {"jpg": b"\xff\xd9", "png": b"IEND\xaeB`\x82"}.get(kind)
    if end is None:
        return False
    file.seek(-min(64, file.seek(0, io.SEEK_END)), io.SEEK_END)
    return file.read().rstrip(b"\0").endswith(end)
