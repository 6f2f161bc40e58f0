"""A provider's rate: requests queue for their turn, submissions first, and stop while the provider says so."""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from enum import IntEnum
from itertools import count
from typing import Final, Protocol

_JITTER: Final = 1.02
"""The network may bring two requests closer together than they were sent."""


class Urgency(IntEnum):
    """Who goes first."""

    SUBMIT = 0
    SOON = 1  # an answer is waiting: a callback came, a result is there
    POLL = 2


class Gate(Protocol):
    """What all processes that ask the same providers keep together; see storage.rates.Rates."""

    async def take_one(self, name: str, size: int, seconds: float) -> float:
        """Count a request, at most `size` in any `seconds` seconds; or give how many seconds it has to wait."""

    async def hold(self, name: str, seconds: float) -> None:
        """Have everybody wait for so long."""


class Pace:
    """At most `rate` requests in any second (one in 1/rate seconds below 1), in order of urgency, then arrival.

    With a `gate`, where the rate is kept under `name`, that holds for all processes together; the order for each.
    """

    def __init__(self, rate: float, gate: Gate | None = None, name: str = "") -> None:
        burst = max(1, int(rate))
        self._burst, self._window = burst, burst / rate * _JITTER
        self._gate, self._name = gate, name
        self._asking: asyncio.Task[None] | None = None
        self._sent: deque[float] = deque(maxlen=burst)
        self._closed_until = float("-inf")
        self._waiting: list[tuple[Urgency, int, asyncio.Future[None]]] = []
        self._order = count()
        self._timer: asyncio.TimerHandle | None = None

    async def turn(self, urgency: Urgency) -> None:
        """Wait until a request may be sent. A cancelled wait costs nobody a turn."""
        loop = asyncio.get_running_loop()
        if not self._gate and not self._waiting and self._free_at() <= loop.time():
            self._sent.append(loop.time())
            return
        future = loop.create_future()
        heapq.heappush(self._waiting, (urgency, next(self._order), future))
        self._serve()
        await future

    async def hold(self, seconds: float) -> None:
        """Send nothing for so long: the provider said so."""
        self._closed_until = max(self._closed_until, asyncio.get_running_loop().time() + seconds)
        if self._gate:
            await self._gate.hold(self._name, seconds)

    def _free_at(self) -> float:
        full = len(self._sent) == self._sent.maxlen
        return max(self._closed_until, self._sent[0] + self._window if full else float("-inf"))

    def _serve(self) -> None:
        """Let go whose turn has come, and come back for the next one."""
        loop = asyncio.get_running_loop()
        if self._timer:
            self._timer.cancel()
            self._timer = None
        while self._waiting and not self._asking:
            if self._waiting[0][2].done():  # cancelled
                heapq.heappop(self._waiting)
            elif self._free_at() > loop.time():
                self._timer = loop.call_at(self._free_at(), self._serve)
                return
            elif self._gate:
                self._asking = asyncio.create_task(self._ask(self._gate))
            else:
                self._let_go()

    def _let_go(self) -> None:
        """Let the best go that still waits."""
        while self._waiting:
            future = heapq.heappop(self._waiting)[2]
            if not future.done():
                self._sent.append(asyncio.get_running_loop().time())
                future.set_result(None)
                return

    async def _ask(self, gate: Gate) -> None:
        """Let whoever is best by then go if the rate over all processes has a turn left."""
        wait = await gate.take_one(self._name, self._burst, self._window)
        now = asyncio.get_running_loop().time()
        if wait > 0:
            self._closed_until = max(self._closed_until, now + wait)
        elif self._free_at() <= now:  # else the provider has asked for patience meanwhile
            self._let_go()
        self._asking = None
        self._serve()
