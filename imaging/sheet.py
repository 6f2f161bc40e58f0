"""Print sheets: copies of an ID photo in its true size on common paper, with cut lines, as JPEG or PDF; blocking."""

import io
from collections.abc import Mapping
from typing import Final, Literal

from PIL import Image

from imaging.codec import encode
from imaging.errors import ArgumentError

DPI: Final = 300  # dots per inch of every sheet
PAPERS: Final[Mapping[str, tuple[float, float]]] = {
    "10x15": (100, 150),
    "5x7": (127, 177.8),
    "a4": (210, 297),
}  # mm, upright
MARGIN_MM: Final = 4  # printers leave the edge white, and borderless ones cut it off
GAP_MM: Final = 2  # room for the scissors between two copies
_LINE: Final = (150, 150, 150)  # seen on white paper, not read as part of a photo


def make_sheet(photo: Image.Image, photo_dpi: int, paper: str, format: Literal["jpg", "pdf"] = "jpg") -> bytes:  # noqa: A002  the person's word
    """Fill a paper of PAPERS with copies of `photo`, whose pixels are `photo_dpi` to the inch.

    The paper is turned to hold more copies. Raises ArgumentError `argument_sheet` when not one copy fits.
    """
    sheet = lay_out(photo, photo_dpi, paper)
    if format == "jpg":
        return encode(sheet, "jpg", quality=95, dpi=DPI)
    out = io.BytesIO()
    sheet.save(out, "PDF", resolution=DPI, quality=95)
    return out.getvalue()


def lay_out(photo: Image.Image, photo_dpi: int, paper: str) -> Image.Image:
    """Return the sheet as a picture of DPI dots per inch."""
    width, height = round(photo.width * DPI / photo_dpi), round(photo.height * DPI / photo_dpi)
    upright = (_dots(PAPERS[paper][0]), _dots(PAPERS[paper][1]))
    sides = max((upright, upright[::-1]), key=lambda sides: _count(sides[0], width) * _count(sides[1], height))
    lefts, tops = _starts(sides[0], width), _starts(sides[1], height)
    if not lefts or not tops:  # seen before it is made that large, which may be gigabytes
        raise ArgumentError("argument_sheet", paper=paper)
    copy = Image.new("RGB", photo.size, "white")  # paper shows through what is transparent
    copy.paste(photo.convert("RGB"), mask=photo.getchannel("A") if "A" in photo.getbands() else None)
    copy = copy.resize((width, height), Image.Resampling.LANCZOS)
    sheet = Image.new("RGB", sides, "white")
    _cut_lines(sheet, lefts, tops, copy.size)
    for top in tops:
        for left in lefts:
            sheet.paste(copy, (left, top))
    return sheet


def _dots(mm: float) -> int:
    return round(mm / 25.4 * DPI)


def _count(side: int, length: int) -> int:
    """Say how many lengths stand between the margins of a side, gaps between them."""
    return (side - 2 * _dots(MARGIN_MM) + _dots(GAP_MM)) // (length + _dots(GAP_MM))


def _starts(side: int, length: int) -> list[int]:
    """Return where the copies begin along a side, centred."""
    count, step = _count(side, length), length + _dots(GAP_MM)
    first = (side - count * step + _dots(GAP_MM)) // 2
    return [first + i * step for i in range(count)]


def _cut_lines(sheet: Image.Image, lefts: list[int], tops: list[int], copy: tuple[int, int]) -> None:
    """Draw hairlines across the sheet just outside every copy's edges, so that a cut along them frees it whole."""
    for left in lefts:
        for x in (left - 1, left + copy[0]):
            sheet.paste(_LINE, (x, 0, x + 1, sheet.height))
    for top in tops:
        for y in (top - 1, top + copy[1]):
            sheet.paste(_LINE, (0, y, sheet.width, y + 1))
