"""How python-telegram-bot's calls reach Telegram: on httpx's transport itself, without the client around it.

The client's cookies, redirects, hooks and merged defaults serve no call here and cost as much as the call on aiohttp.
"""

from __future__ import annotations

from contextlib import aclosing
from functools import lru_cache
from typing import TYPE_CHECKING

import aiohttp
import httpx
from telegram.error import NetworkError, TimedOut
from telegram.request import BaseRequest

if TYPE_CHECKING:
    from telegram._utils.types import ODVInput
    from telegram.request import RequestData

_url = lru_cache(maxsize=256)(httpx.URL)  # reading one takes 25 µs, and a bot calls some forty methods


class TransportRequest(BaseRequest):
    """Makes a Bot's calls on `transport`, which `shutdown` closes. `seconds` to connect, for each read, for a place.

    There is no limit for writing: aiohttp has none.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport, *, seconds: float) -> None:
        self._transport = transport
        self._seconds = seconds

    @property
    def read_timeout(self) -> float:
        """Seconds; PTB asks for it."""
        return self._seconds

    async def initialize(self) -> None:
        """Do nothing: the transport connects when it is first used."""

    async def shutdown(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: ODVInput[float] = BaseRequest.DEFAULT_NONE,
        write_timeout: ODVInput[float] = BaseRequest.DEFAULT_NONE,  # noqa: ARG002  PTB's signature; see the class
        connect_timeout: ODVInput[float] = BaseRequest.DEFAULT_NONE,
        pool_timeout: ODVInput[float] = BaseRequest.DEFAULT_NONE,
    ) -> tuple[int, bytes]:
        """Make a call; give the status and the body. Raises TimedOut, NetworkError."""
        given = {"connect": connect_timeout, "read": read_timeout, "pool": pool_timeout}
        timeout = {name: self._seconds if it is self.DEFAULT_NONE else it for name, it in given.items()}
        request = httpx.Request(
            method,
            _url(url),
            headers={"User-Agent": self.USER_AGENT},
            data=request_data.json_parameters if request_data else None,
            files=request_data.multipart_data if request_data else None,
            extensions={"timeout": timeout},
        )
        try:
            async with aclosing(await self._transport.handle_async_request(request)) as response:
                return response.status_code, await response.aread()
        except httpx.TimeoutException as error:
            raise TimedOut from error
        except httpx.HTTPError as error:
            message = f"{type(error).__name__}: {error}"
            raise NetworkError(message) from error
        except aiohttp.ClientError as error:
            # What is no HTTP leaves httpx-aiohttp 0.2 so, and its words repeat the address, which holds the token.
            raise NetworkError(type(error).__name__) from None
