"""When to ask for a task again: learned from how long such tasks took.

With every poll a fixed share of the tasks still out should be done. Where many end at about the same time the polls
stand close, elsewhere far apart: for lognormal durations around 2 s (sigma 0.3) that is a median wait of 0.11 s with
4.6 polls a task (tests/imaging/test_waiting.py).
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import deque
from typing import Final

SHARE: Final = 0.2
"""Of the tasks that are still out, how many should be done at the next poll; 1/SHARE polls a task at worst."""

MEMORY: Final = 64
"""How many durations are remembered: enough for quantiles, few enough to follow a provider that gets slower."""

ENOUGH: Final = 5
CLOSEST: Final = 0.05
FIRST: Final = 0.3
GROWTH: Final = 0.25
"""Before ENOUGH is known: FIRST seconds, then this share of the time waited: at worst so much too long."""

TAIL: Final = (0.2, 0.12)
"""Past everything known: seconds at least, and the share of the time waited."""


class Durations:
    """How long one provider takes for one operation, in seconds."""

    def __init__(self) -> None:
        self._latest: deque[float] = deque()
        self._sorted: list[float] = []

    def learn(self, not_yet: float, done: float) -> None:
        """Note that a task was still out after `not_yet` seconds and done after `done`: it ended in between."""
        if len(self._latest) == MEMORY:
            self._sorted.remove(self._latest.popleft())
        middle = (not_yet + done) / 2
        self._latest.append(middle)
        insort(self._sorted, middle)

    def next_wait(self, waited: float) -> float:
        """Say in how many seconds to ask for a task that is still out after `waited`."""
        if len(self._sorted) < ENOUGH:
            return max(FIRST, waited * GROWTH)
        done = bisect_right(self._sorted, waited)
        out = len(self._sorted) - done
        if out <= 1:
            return max(TAIL[0], waited * TAIL[1])
        return max(self._quantile(done + SHARE * out) - waited, CLOSEST)

    def _quantile(self, rank: float) -> float:
        """Read between the two durations beside a rank, counted from half a place before the first."""
        place = max(rank - 0.5, 0.0)
        low = int(place)
        high = min(low + 1, len(self._sorted) - 1)
        return self._sorted[low] + (self._sorted[high] - self._sorted[low]) * (place - low)
