"""How often and how long to try again, and how to. Seconds, unless it says otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import stamina

from imaging.errors import BadReply, Busy, Rejected, Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import timedelta

T = TypeVar("T")

TRIES: Final = 7
"""POSTs that surely were not taken; with stamina's pauses the last one is sent some 9 s after the first."""

QUESTIONS: Final = 12
"""Polls, and downloads from a storage that is down; the last one some 35 s after the first."""

DOWNLOADS: Final = 3
"""Downloads of a result that arrives broken or is not there."""

BREATH: Final = 1.0
"""Before a POST whose outcome is unknown is repeated at the same provider."""

UNKNOWN_WAIT: Final = 40.0
"""For the callback of a POST whose outcome is unknown; vendors end a task after 30 s."""

FOR_SERVICE: Final = 30.0
"""For the first provider to come back when all are out, or to be no longer busy when another one is free."""

SLOW: Final = 10.0
"""Between polls behind a callback."""

HOLD: Final = 1.0
"""Without a request after a 429 that does not say how long."""

REFUSED: Final = 60.0
"""Between uploads to a provider that refuses our key or has no credit left: only the operator can help."""


def may_pass(error: Exception) -> bool:
    """Say whether a question that costs nothing may have a better answer later."""
    return isinstance(error, Busy | Unavailable | BadReply) and not isinstance(error, Rejected)


async def insist(
    call: Callable[[], Awaitable[T]],
    again: Callable[[Exception], bool | timedelta],
    *,
    attempts: int | None,
    wait_initial: float = 0.1,
    wait_max: float = 5.0,
) -> T:
    """Make a call until it succeeds, `attempts` times at most (None: for ever), farther and farther apart.

    `again` is asked once about each failure: whether to try again, or after what time; else it is raised.
    """
    try:  # without stamina, which is not needed while nothing is wrong and would cost as much as a statement
        return await call()
    except Exception as error:  # noqa: BLE001  `again` says which may pass
        first = error
    async for attempt in stamina.retry_context(
        on=again, attempts=attempts, timeout=None, wait_initial=wait_initial, wait_max=wait_max
    ):
        with attempt:
            if attempt.num == 1:
                raise first
            result = await call()
    return result
