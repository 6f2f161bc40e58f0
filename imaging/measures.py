"""Reads an ID photo's measures as people type them: pixels, millimetres, dots per inch, a file-size cap."""

import re
from typing import TYPE_CHECKING

from imaging.arguments import BYTES_PER_UNIT, MM_PER_UNIT, SEPARATORS, Found

if TYPE_CHECKING:
    from collections.abc import Callable

SIDE_MIN, SIDE_MAX = 100, 2000  # pixels; the API's range (API_CONTRACT, idphoto)
DPI_MIN, DPI_MAX, DPI_DEFAULT = 72, 1200, 300
CAP_MIN, CAP_MAX = 5_000, 10_000_000  # bytes; below it no quality of a passport photo is left
_INCH = 25.4  # mm

_NUMBER = r"\d{1,4}(?:[.,]\d{1,3})?"
_ALONE, _END = rf"(?<![^{SEPARATORS}<])", rf"(?![^{SEPARATORS}@.!])"
_UNITS = "|".join(map(re.escape, MM_PER_UNIT))
_MILLIMETRES = re.compile(rf"{_ALONE}({_NUMBER})x({_NUMBER})\s*({_UNITS}){_END}", re.ASCII)
_PIXELS = re.compile(rf"{_ALONE}(\d{{2,9}})x(\d{{2,9}})(?:\s*px)?{_END}", re.ASCII)
_DPI = re.compile(rf"@\s*(\d{{1,5}})(?:\s*dpi)?{_END}|{_ALONE}(\d{{1,5}})\s*dpi{_END}", re.ASCII)
_CAP = re.compile(rf"{_ALONE}(?:[<≤]=?\s*)?({_NUMBER})\s*({'|'.join(BYTES_PER_UNIT)}){_END}", re.ASCII)


def pixels(width: float, height: float, unit: str, dpi: int) -> tuple[int, int]:
    """Return width and height in pixels of a size in `px` or in millimetres (`mm`) at `dpi` dots per inch."""
    if unit == "px":
        return int(width), int(height)
    return round(width / _INCH * dpi), round(height / _INCH * dpi)


def read_measures(text: str, found: Found) -> str:
    """Take sizes (`size`), resolution (`dpi`) and caps (`max_bytes`) out of a normalised text; return the rest.

    Raises ArgumentError: argument_conflict, argument_dpi_range, argument_cap_range.
    """
    readers: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], Found], None]], ...] = (
        (_DPI, _take_dpi),
        (_MILLIMETRES, _take_millimetres),
        (_PIXELS, _take_pixels),
        (_CAP, _take_cap),
    )
    for pattern, take in readers:
        for match in pattern.finditer(text):
            take(match, found)
        text = pattern.sub(" ", text)
    return text


def check_side(found: Found, width: int, height: int, word: str) -> None:
    """Raise ArgumentError `argument_size_range` unless both sides (pixels) are what the API makes."""
    if not (SIDE_MIN <= width <= SIDE_MAX and SIDE_MIN <= height <= SIDE_MAX):
        error = found.error("argument_size_range", word=word, low=SIDE_MIN, high=SIDE_MAX)
        if word == f"{width}x{height}" and max(width, height) < SIDE_MIN:
            error.params["example"] = f"/idphoto {word}mm"  # 35x45 was surely meant so
        raise error


def _number(text: str) -> float:
    return float(text.replace(",", "."))


def _take_millimetres(match: re.Match[str], found: Found) -> None:
    width, height, unit = match.groups()
    scale = MM_PER_UNIT[unit]
    found.put("size", (_number(width) * scale, _number(height) * scale, "mm"), match[0])


def _take_pixels(match: re.Match[str], found: Found) -> None:
    found.put("size", (int(match[1]), int(match[2]), "px"), match[0])


def _take_dpi(match: re.Match[str], found: Found) -> None:
    dpi = int(match[1] or match[2])
    if not DPI_MIN <= dpi <= DPI_MAX:
        raise found.error("argument_dpi_range", word=match[0], low=DPI_MIN, high=DPI_MAX)
    found.put("dpi", dpi, match[0])


def _take_cap(match: re.Match[str], found: Found) -> None:
    cap = round(_number(match[1]) * BYTES_PER_UNIT[match[2]])
    if not CAP_MIN <= cap <= CAP_MAX:
        low, high = CAP_MIN // 1000, CAP_MAX // 1000
        raise found.error("argument_cap_range", word=match[0], low=low, high=high)
    found.put("max_bytes", cap, match[0])
