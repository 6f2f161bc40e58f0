"""Pictures that come as bare base64 inside a JSON answer, decoded piece by piece so that none stands in memory."""

from __future__ import annotations

import base64
import binascii
import re
from contextlib import ExitStack
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from imaging import results, wire
from imaging.errors import BadReply, ResultLost

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from imaging.results import Role, Spools

_START: Final = re.compile(rb'"(image|mask)"\s*:\s*"')
_HEAD: Final = 8
"""Bytes that tell a URL from base64: `http:` has a colon, base64 never."""
_OVERLAP: Final = 64
"""Bytes kept when no picture began yet: its beginning may be cut between two pieces."""


async def split(head: bytes, pieces: AsyncIterator[bytes]) -> tuple[bytes, Spools]:
    """Give the JSON without its pictures, and the pictures.

    Raises BadReply when it is not base64 or the JSON is too long, ResultLost when a picture is.
    """
    with ExitStack() as held:
        splitter = _Splitter(held)
        splitter.feed(head)
        async for piece in pieces:
            splitter.feed(piece)
        splitter.feed(b"", last=True)
        held.pop_all()
        return bytes(splitter.json), tuple(splitter.pictures)


class _Splitter:
    def __init__(self, held: ExitStack) -> None:
        self.json = bytearray()
        self.pictures: list[tuple[Role, BinaryIO]] = []
        self._held = held
        self._buffer = b""
        self._inside = False

    def feed(self, piece: bytes, *, last: bool = False) -> None:
        """Take the next piece of the body."""
        self._buffer += piece
        while self._picture() if self._inside else self._text(last=last):
            pass
        if len(self.json) > wire.MAX_BODY:
            raise BadReply("a body too long beside its pictures")

    def _text(self, *, last: bool) -> bool:
        """Move JSON along up to the next picture; whether one begins."""
        found = _START.search(self._buffer)
        if found and (last or len(self._buffer) >= found.end() + _HEAD):
            value = self._buffer[found.end() : found.end() + _HEAD]
            self.json += self._buffer[: found.end()]
            self._buffer = self._buffer[found.end() :]
            self._inside = b":" not in value and b'"' not in value
            if self._inside:
                role = cast("Role", found[1].decode())
                if any(role == taken for taken, _ in self.pictures):
                    raise BadReply("two pictures of one kind")
                self.pictures.append((role, self._held.enter_context(results.new_spool())))
            return True
        if not found:
            keep = 0 if last else _OVERLAP
            cut = max(0, len(self._buffer) - keep)
            self.json += self._buffer[:cut]
            self._buffer = self._buffer[cut:]
        return False

    def _picture(self) -> bool:
        """Decode what is there in whole groups of four; whether the picture ended."""
        text, quote, rest = self._buffer.partition(b'"')
        text = text.replace(b"\\", b"")  # JSON may write / as \/
        cut = len(text) if quote else len(text) // 4 * 4
        spool = self.pictures[-1][1]
        try:
            spool.write(base64.b64decode(text[:cut], validate=True))
        except binascii.Error:
            raise BadReply("a picture that is not base64") from None
        if spool.tell() > results.MAX_RESULT:
            raise ResultLost(f"a result of more than {results.MAX_RESULT} bytes")
        self._buffer = quote + rest if quote else text[cut:]
        self._inside = not quote
        return bool(quote)
