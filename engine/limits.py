"""Who may ask, and how often."""

import hmac
from collections.abc import Callable, Sequence

from pydantic import SecretStr


def find_key(keys: Sequence[SecretStr], given: str) -> int | None:
    """Find the index of the key given, None for a wrong one; it takes as long whichever it is."""
    matches = [hmac.compare_digest(key.get_secret_value().encode(), given.encode()) for key in keys]
    return matches.index(True) if any(matches) else None


class RateLimit:
    """A token bucket for each key: `rate` requests a second, as many at once; None lets all through."""

    def __init__(self, rate: float | None, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._clock = clock
        self._buckets: dict[int, tuple[float, float]] = {}  # key -> tokens left at that time

    def wait(self, key: int) -> float:
        """Take a token and return 0, or return the seconds until there will be one."""
        if self._rate is None:
            return 0.0
        capacity, now = max(self._rate, 1.0), self._clock()
        tokens, then = self._buckets.get(key, (capacity, now))
        tokens = min(capacity, tokens + (now - then) * self._rate)
        if tokens < 1:
            self._buckets[key] = (tokens, now)
            return (1 - tokens) / self._rate
        self._buckets[key] = (tokens - 1, now)
        return 0.0
