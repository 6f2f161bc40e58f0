"""Providers' callbacks: unguessable URLs, each good for one call. A callback is only a hint to ask."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from typing import TYPE_CHECKING, Protocol

from imaging import wire

if TYPE_CHECKING:
    from pydantic import SecretStr


class Call:
    """One awaited callback; `task_id` is what it named, unverified, None when it named nothing."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.task_id: str | None = None
        self._came = asyncio.Event()

    @property
    def came(self) -> bool:
        """Whether the call was made."""
        return self._came.is_set()

    def answer(self, task_id: str | None) -> None:
        """Note the call."""
        self.task_id = task_id
        self._came.set()

    async def wait(self, seconds: float) -> bool:
        """Wait for the call; whether it came in time."""
        try:
            async with asyncio.timeout(seconds):
                await self._came.wait()
        except TimeoutError:
            return False
        return True


class Callbacks(Protocol):
    """The calls that are awaited; slow polling stands behind each."""

    async def expect(self, name: str) -> Call:
        """Give the URL of the picture whose way is called so, the same after a crash; it is good when this returns."""

    def forget(self, call: Call) -> None:
        """Await it no longer."""

    async def take(self, token: str, body: bytes) -> bool:
        """Take a call; whether its URL was good. It is not good a second time."""


class OwnCallbacks:
    """The calls awaited by a process that hears all of them. One that came before a restart is not known any more.

    `base` is the URL that calls come to, less the token, which `key` makes.
    """

    def __init__(self, base: str, key: SecretStr) -> None:
        self._base = base.rstrip("/")
        self._key = key
        self._calls: dict[str, Call] = {}

    async def expect(self, name: str) -> Call:
        """Give the URL."""
        token = make_token(self._key, name)
        self._calls[token] = Call(f"{self._base}/{token}")
        return self._calls[token]

    def forget(self, call: Call) -> None:
        """Await it no longer."""
        self._calls.pop(token_of(call), None)

    async def take(self, token: str, body: bytes) -> bool:
        """Take a call; whether its URL was good. It is not good a second time."""
        call = self._calls.pop(token, None)
        if call is not None:
            call.answer(wire.read_callback(body))
        return call is not None


def make_token(key: SecretStr, name: str) -> str:
    """Make what nobody can guess who has not the key."""
    return hmac.new(key.get_secret_value().encode(), name.encode(), hashlib.sha256).hexdigest()


def token_of(call: Call) -> str:
    """Give the token in a call's URL."""
    return call.url.rpartition("/")[2]
