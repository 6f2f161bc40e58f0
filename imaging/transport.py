"""The pooled connections to one provider: httpx on aiohttp's transport, with every failure in our own tree.

aiohttp's transport costs a fifth of the CPU of httpx's own, and is used without httpx's client, whose cookies and
redirects nobody wants here. Its exceptions are told apart by their cause, because
httpx-aiohttp 0.2 names nearly every broken connection ConnectTimeout.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager, nullcontext
from contextvars import ContextVar
from functools import cache, lru_cache
from typing import TYPE_CHECKING, BinaryIO, Final, cast

import aiohttp
import httpx
import yarl
from httpx_aiohttp import AiohttpTransport

from imaging.addresses import NotPublicError, PublicResolver, may_fetch
from imaging.errors import ResultLost, Unavailable, Unsent
from imaging.wire import IMAGE_FILE

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

TIMEOUT: Final = httpx.Timeout(connect=5, read=30, write=30, pool=30)
"""Seconds: to connect, between two pieces read, between two pieces written, to get a place in the pool."""

CONNECTIONS: Final = 100
_exact_url: ContextVar[str] = ContextVar("exact_url")
_HEADERS: Final = {"Accept-Encoding": "identity"}  # pictures do not shrink, and Content-Length keeps its meaning
_NEVER_SENT: Final = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


class Body:
    """An upload's file as httpx reads it; each piece read puts the write timeout off.

    The timeout is kept here because aiohttp has none for writing. There is no `fileno`: httpx would take the size
    from it, and a spooled file not yet flushed has the wrong one.
    """

    def __init__(self, file: BinaryIO, write: float, read: float) -> None:
        self._file = file
        self._write = write
        self._read = read
        self.deadline = asyncio.timeout(None)  # waiting for a place in the pool is not writing

    def read(self, size: int = -1) -> bytes:
        """Read a piece; after the last one there is the read timeout too, until the answer begins."""
        piece = self._file.read(size)
        seconds = self._write if piece else self._write + self._read
        self.deadline.reschedule(asyncio.get_running_loop().time() + seconds)
        return piece

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place; httpx rewinds before it sends."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Say the place."""
        return self._file.tell()


@cache
def tls() -> ssl.SSLContext:
    """One context for all clients: loading the certificates takes 10 ms and more."""
    return httpx.create_ssl_context()


async def _keep_url(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Send the URL as it was given: aiohttp would write its escapes anew, and a signed query must stay whole."""
    request.url = yarl.URL(_exact_url.get(), encoded=True)
    return await handler(request)


def _transport(*, public: bool) -> AiohttpTransport:
    def session() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=tls(), limit=CONNECTIONS, resolver=PublicResolver() if public else None),
            cookie_jar=aiohttp.DummyCookieJar(),
            middlewares=(_keep_url,),
        )

    return AiohttpTransport(verify=tls(), client=session)


class Connections:
    """A pool for the provider's own origin, and one that reaches public addresses only for all other URLs."""

    def __init__(self, url: str, timeout: httpx.Timeout = TIMEOUT) -> None:
        self.base = httpx.URL(url.rstrip("/"))
        self.at = lru_cache(maxsize=256)(self._at)
        self.timeout = timeout
        self._own = _transport(public=False)
        self._public = _transport(public=True)

    def _at(self, path: str) -> httpx.URL:
        """Give the URL of a path below the base, whose escapes stay as they are."""
        return self.base.copy_with(raw_path=(self.base.path.rstrip("/") + path).encode())

    async def aclose(self) -> None:
        """Close both pools."""
        await self._own.aclose()
        await self._public.aclose()

    def _pool_for(self, url: httpx.URL) -> AiohttpTransport:
        if self.is_own(url):
            return self._own
        if url.scheme not in ("http", "https") or not may_fetch(url.host):
            raise ResultLost("a URL that is not public")
        return self._public

    def is_own(self, url: httpx.URL) -> bool:
        """Say whether a URL belongs to the provider's own origin."""
        return (url.scheme, url.host, _port(url)) == (self.base.scheme, self.base.host, _port(self.base))

    @asynccontextmanager
    async def send(
        self,
        method: str,
        url: httpx.URL,
        *,
        headers: dict[str, str] | None = None,
        fields: dict[str, str] | None = None,
        upload: tuple[str, BinaryIO, str] | None = None,
        read_seconds: float | None = None,
    ) -> AsyncIterator[httpx.Response]:
        """Send a request (`upload`: name, file, type of image_file) and give the answer, its body still to be read.

        Raises Unsent when it surely did not arrive, Unavailable when that is not known, ResultLost for a URL that
        is not public. No message holds a URL.
        """
        pool = self._pool_for(url)
        read = read_seconds or self.timeout.read
        body = Body(upload[1], self.timeout.write or 0, read or 0) if upload else None
        request = httpx.Request(
            method,
            url,
            headers=_HEADERS | (headers or {}),
            data=fields if upload else None,
            files={IMAGE_FILE: (upload[0], cast("BinaryIO", body), upload[2])} if upload else _parts(fields),
            extensions={"timeout": {**self.timeout.as_dict(), "read": read}},
        )
        _exact_url.set(str(url))
        try:
            async with body.deadline if body else nullcontext():
                response = await pool.handle_async_request(request)
            try:
                yield response
            finally:
                await response.aclose()
        except (httpx.HTTPError, aiohttp.ClientError, TimeoutError) as error:
            cause = error.__cause__ if isinstance(error.__cause__, aiohttp.ClientError) else error
            if isinstance(getattr(cause, "os_error", None), NotPublicError):
                raise ResultLost("a URL that is not public") from None
            kind = Unsent if isinstance(cause, _NEVER_SENT) else Unavailable
            raise kind(f"{method} failed: {type(cause).__name__}") from None


def _parts(fields: dict[str, str] | None) -> dict[str, tuple[None, str]] | None:
    """Write a form without a file as multipart too, as the contract has it."""
    return {name: (None, value) for name, value in fields.items()} if fields else None


def _port(url: httpx.URL) -> int | None:
    return url.port or {"http": 80, "https": 443}.get(url.scheme)
