"""A provider's rate: requests queue for their turn, submissions first, and stop while the provider says so."""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from enum import IntEnum
from itertools import count
from typing import Final

_JITTER: Final = 1.02
"""The network may bring two requests closer together than they were sent."""


class Urgency(IntEnum):
    """Who goes first."""

    SUBMIT = 0
    SOON = 1  # an answer is waiting: a callback came, a result is there
    POLL = 2


class Pace:
    """At most `rate` requests in any second (one in 1/rate seconds below 1), in order of urgency, then arrival."""

    def __init__(self, rate: float) -> None:
        burst = max(1, int(rate))
        self._window = burst / rate * _JITTER
        self._sent: deque[float] = deque(maxlen=burst)
        self._closed_until = float("-inf")
        self._waiting: list[tuple[Urgency, int, asyncio.Future[None]]] = []
        self._order = count()
        self._timer: asyncio.TimerHandle | None = None

    async def turn(self, urgency: Urgency) -> None:
        """Wait until a request may be sent. A cancelled wait costs nobody a turn."""
        loop = asyncio.get_running_loop()
        if not self._waiting and self._free_at() <= loop.time():
            self._sent.append(loop.time())
            return
        future = loop.create_future()
        heapq.heappush(self._waiting, (urgency, next(self._order), future))
        self._serve()
        await future

    def hold(self, seconds: float) -> None:
        """Send nothing for so long: the provider said so."""
        self._closed_until = max(self._closed_until, asyncio.get_running_loop().time() + seconds)

    def _free_at(self) -> float:
        full = len(self._sent) == self._sent.maxlen
        return max(self._closed_until, self._sent[0] + self._window if full else float("-inf"))

    def _serve(self) -> None:
        """Let go whose turn has come, and come back for the next one."""
        loop = asyncio.get_running_loop()
        if self._timer:
            self._timer.cancel()
            self._timer = None
        while self._waiting:
            if self._free_at() > loop.time():
                self._timer = loop.call_at(self._free_at(), self._serve)
                return
            future = heapq.heappop(self._waiting)[2]
            if not future.done():
                self._sent.append(loop.time())
                future.set_result(None)
