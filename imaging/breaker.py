"""Keeps a dead provider out and lets it back in (why it is our own: docs/decisions/0005-own-breaker.md)."""

from __future__ import annotations

import asyncio
from typing import Literal

BreakerState = Literal["closed", "open", "half_open"]


class Breaker:
    """Opens after `failures` in a row; then one try per `seconds` until one succeeds."""

    def __init__(self, failures: int = 5, seconds: float = 10.0) -> None:
        self._limit = failures
        self._seconds = seconds
        self._failures = 0
        self._until = float("-inf")

    @property
    def state(self) -> BreakerState:
        """Closed: all may pass. Open: nobody may. Half open: the next one may, to try."""
        if self._failures < self._limit:
            return "closed"
        return "open" if self.shut_for > 0 else "half_open"

    @property
    def shut_for(self) -> float:
        """Seconds until the next try."""
        return self._until - _now() if self._failures >= self._limit else 0.0

    def admit(self) -> bool:
        """Say whether to try now; a try while half open shuts it for the others until it succeeds or time is up."""
        state = self.state
        if state == "half_open":
            self._until = _now() + self._seconds
        return state != "open"

    def succeeded(self) -> None:
        """Close it."""
        self._failures = 0

    def failed(self) -> None:
        """Count a failure."""
        self._failures += 1
        self._until = max(self._until, _now() + self._seconds)

    def trip(self, seconds: float) -> None:
        """Open it at once and for so long: no use in trying on."""
        self._failures = self._limit
        self._until = _now() + seconds


def _now() -> float:
    return asyncio.get_running_loop().time()
