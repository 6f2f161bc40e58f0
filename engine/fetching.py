"""HTTP to addresses that strangers name: `image_url` is downloaded, `callback_url` is posted to.

What is checked is the address that a socket is about to connect to, after resolving and for every redirect, so no
spelling of a host and no change of DNS in between gets past it.
"""

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address
CHUNK = 64 * 1024
REDIRECTS = 5
DOWNLOAD_SECONDS = 20.0
CALLBACK_SECONDS = 10.0
CALLBACK_WAITS = (0.0, 0.5, 2.0, 5.0)  # seconds before each attempt
OK, REDIRECTED = 200, 300


class LinkRefused(Exception):  # noqa: N818  named for what happened, as in imaging.errors
    """The link leads nowhere, or where it must not; the message repeats nothing of what was found there."""


class LinkTooLarge(Exception):  # noqa: N818  as above
    """More bytes are behind the link than a picture may have."""


class PrivateAddress(OSError):  # noqa: N818  as above
    """An address within a private network, of this machine, or reserved."""


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet, looking through IPv4 wrapped in IPv6."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo and ip.teredo[1])
        if ip in NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner:
            return is_public(str(inner))
        if ip.is_site_local:
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved)


def _public_socket(info: aiohttp.AddrInfoType) -> socket.socket:
    """Make a socket for this very address. Raises PrivateAddress."""
    family, kind, protocol, _, address = info
    if not is_public(str(address[0])):
        raise PrivateAddress("private address")
    return socket.socket(family, kind, protocol)


class Fetcher:
    """One pooled client; create it inside the running loop."""

    def __init__(self, *, allow_private: bool, max_bytes: int) -> None:
        self._allow_private = allow_private
        self._max_bytes = max_bytes
        self._client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(socket_factory=None if allow_private else _public_socket),
            cookie_jar=aiohttp.DummyCookieJar(),  # strangers' servers must not leave things for each other
            auto_decompress=False,  # pictures are compressed already; a bomb stays packed
            headers={"Accept-Encoding": "identity", "User-Agent": "darkroom-engine"},
        )

    async def download(self, url: str, target: Path) -> None:
        """Store what is behind `url`. Raises LinkRefused, LinkTooLarge."""
        try:
            timeout = aiohttp.ClientTimeout(total=DOWNLOAD_SECONDS)
            async with self._client.get(url, max_redirects=REDIRECTS, timeout=timeout) as response:
                if response.status != OK:
                    raise LinkRefused(f"HTTP {response.status}")
                await self._store(response, target)
        except (aiohttp.ClientError, OSError, ValueError) as error:  # TimeoutError is an OSError
            raise LinkRefused("no such picture there") from error

    async def _store(self, response: aiohttp.ClientResponse, target: Path) -> None:
        with await asyncio.to_thread(target.open, "wb") as file:
            size = 0
            async for chunk in response.content.iter_chunked(CHUNK):
                size += len(chunk)
                if size > self._max_bytes:
                    raise LinkTooLarge
                file.write(chunk)  # 64 KiB go to the page cache at once

    async def allows(self, url: str) -> bool:
        """Whether `url` may be used as far as can be told now; the connection itself is checked again."""
        host, port = URL(url).host, URL(url).port
        if self._allow_private:
            return True
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return True  # it may resolve later
        return all(is_public(str(address[0])) for *_, address in found)

    async def post(self, url: str, body: Mapping[str, Any]) -> bool:
        """Post JSON to a callback, a few times if need be; whether it was taken (2xx, no redirect)."""
        timeout = aiohttp.ClientTimeout(total=CALLBACK_SECONDS)
        for wait in CALLBACK_WAITS:
            await asyncio.sleep(wait)
            with contextlib.suppress(aiohttp.ClientError, OSError, ValueError):
                async with self._client.post(url, json=body, allow_redirects=False, timeout=timeout) as response:
                    if OK <= response.status < REDIRECTED:
                        return True
        return False

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()
