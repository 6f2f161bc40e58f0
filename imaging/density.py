"""Writes the print resolution into a finished JPEG or PNG file without touching its pixels."""

import struct
import zlib
from typing import Final

_SOI: Final = b"\xff\xd8"
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_HEADER_END: Final = 33  # of a PNG: its signature and IHDR, which always comes first and has this length
_INCHES_PER_METRE: Final = 1 / 0.0254


def with_dpi(data: bytes, dpi: int) -> bytes:
    """Return the file with `dpi` dots per inch in its header; a file of another format as it is.

    JPEG: JFIF 1.02's density, in an APP0 segment right behind SOI; PNG: the pHYs chunk, before any IDAT.
    """
    if data.startswith(_SOI):
        return _SOI + _jfif(dpi) + _without_jfif(data[len(_SOI) :])
    if data.startswith(_PNG):
        return data[:_HEADER_END] + _phys(dpi) + _without_phys(data[_HEADER_END:])
    return data


def _jfif(dpi: int) -> bytes:
    return b"\xff\xe0" + struct.pack(">H5sHBHHBB", 16, b"JFIF\0", 0x0102, 1, dpi, dpi, 0, 0)


def _without_jfif(rest: bytes) -> bytes:
    if rest[:2] == b"\xff\xe0" and rest[4:9] == b"JFIF\0":
        return rest[2 + int.from_bytes(rest[2:4], "big") :]
    return rest


def _phys(dpi: int) -> bytes:
    per_metre = round(dpi * _INCHES_PER_METRE)
    chunk = b"pHYs" + struct.pack(">IIB", per_metre, per_metre, 1)
    return struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))


def _without_phys(chunks: bytes) -> bytes:
    """Drop a pHYs chunk that stands before the pixels."""
    at = 0
    while chunks[at + 4 : at + 8] not in (b"IDAT", b"IEND", b""):
        end = at + 12 + int.from_bytes(chunks[at : at + 4], "big")
        if chunks[at + 4 : at + 8] == b"pHYs":
            return chunks[:at] + chunks[end:]
        at = end
    return chunks
