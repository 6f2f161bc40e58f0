"""Results on their way back: downloaded to spooled files, limited in size, checked to be whole pictures."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, BinaryIO, Final, Literal, TypeAlias, cast

import httpx

from imaging import codec
from imaging.errors import Busy, PictureError, ResultLost, Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

    from imaging.transport import Connections

MAX_RESULT: Final = 50 * 2**20
"""Bytes: what Telegram lets a bot send as a file."""

IN_MEMORY: Final = 2**20
"""Bytes of a result kept in memory before it goes to disk."""

MAX_REDIRECTS: Final = 3
_TAIL: Final = 1024

Role = Literal["image", "mask"]
Spools: TypeAlias = tuple[tuple[Role, BinaryIO], ...]


@dataclass(frozen=True, slots=True)
class ResultFile:
    """One picture of a result: a file at its beginning, its bytes, what its own head says it is."""

    file: BinaryIO
    size: int
    format: str
    width: int
    height: int
    role: Role


@dataclass(frozen=True, slots=True)
class Result:
    """What a task made; whoever got it closes it. `changes` says what was done to the picture sent (codec.Prepared)."""

    files: tuple[ResultFile, ...]
    changes: tuple[str, ...] = ()

    def close(self) -> None:
        """Let go of the files, on disk too."""
        for one in self.files:
            one.file.close()


async def fetch(connections: Connections, image: str | None, mask: str | None, pictures: Spools) -> Result:
    """Download `image` and `mask` and take what came inside the answer. Raises ResultLost, Unavailable, Busy."""
    with ExitStack() as held:
        spools: list[tuple[Role, BinaryIO]] = []
        for role, spool in pictures:
            held.callback(spool.close)
            spools.append((role, spool))
        urls: tuple[tuple[Role, str | None], ...] = (("image", image), ("mask", mask))
        for role, url in urls:
            if url:
                spool = held.enter_context(new_spool())
                await _download(connections, read_url(url), spool)
                spools.append((role, spool))
        if not spools:
            raise ResultLost("done, but without a picture")
        files = tuple(look_at(role, spool) for role, spool in spools)
        held.pop_all()
        return Result(files)


def new_spool() -> BinaryIO:
    """Open a temporary file that stays in memory while it is small."""
    return cast("BinaryIO", SpooledTemporaryFile(IN_MEMORY))


@lru_cache(maxsize=64)
def read_url(text: str) -> httpx.URL:
    """Read a result's URL. Raises ResultLost when it is none, or its host no name that could be looked up."""
    try:
        url = httpx.URL(text)
        if url.host:
            url.raw_host.decode().encode("idna")
    except (httpx.InvalidURL, UnicodeError):
        raise ResultLost("the result has no readable URL") from None
    return url


async def _download(connections: Connections, url: httpx.URL, spool: BinaryIO) -> None:
    """Follow at most MAX_REDIRECTS, each checked like the first address."""
    for _ in range(MAX_REDIRECTS + 1):
        async with connections.send("GET", url) as response:
            if response.has_redirect_location:
                url = url.join(read_url(response.headers["Location"]))
                continue
            _check_status(response)
            await copy(response.aiter_bytes(), spool)
            promised = response.headers.get("Content-Length", "")
            if promised.isdigit() and int(promised) != response.num_bytes_downloaded:
                raise ResultLost("the result was cut short")
            return
    raise ResultLost("too many redirects")


def _check_status(response: httpx.Response) -> None:
    """Raise unless it is 200: a storage that is down is asked again, one that lacks the result is not."""
    status = response.status_code
    if status == httpx.codes.TOO_MANY_REQUESTS:
        raise Busy("the result's storage is busy")
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise Unavailable(f"HTTP {status} from the result's storage")
    if status != httpx.codes.OK:
        raise ResultLost(f"HTTP {status} instead of a result")


async def copy(pieces: AsyncIterable[bytes], spool: BinaryIO) -> None:
    """Write a body into a spool. Raises ResultLost past MAX_RESULT."""
    async for piece in pieces:
        spool.write(piece)
        if spool.tell() > MAX_RESULT:
            raise ResultLost(f"a result of more than {MAX_RESULT} bytes")


def look_at(role: Role, spool: BinaryIO) -> ResultFile:
    """Read a picture's head, whatever the provider calls it. Raises ResultLost if it is no whole picture."""
    size = spool.seek(0, os.SEEK_END)
    spool.seek(0)
    sniffed = codec.sniff(spool.read(64))
    spool.seek(max(0, size - _TAIL))
    tail = spool.read()
    spool.seek(0)
    if sniffed is None or not _is_whole(sniffed, tail):
        raise ResultLost("the result is no whole picture")
    try:
        info = codec.inspect(spool)
    except PictureError as error:
        raise ResultLost(f"the result cannot be read: {type(error).__name__}") from None
    spool.seek(0)
    return ResultFile(spool, size, sniffed, info.width, info.height, role)


def _is_whole(format_: str, tail: bytes) -> bool:
    """Look for the end mark that JPEG and PNG have: a body without Content-Length can stop anywhere unseen."""
    marks = {"jpg": b"\xff\xd9", "png": b"IEND"}
    return marks.get(format_, b"") in tail
