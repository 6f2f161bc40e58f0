"""How often and how long the routing tries again. Seconds, unless it says otherwise."""

from __future__ import annotations

from typing import Final

from imaging.errors import BadReply, Busy, Rejected, Unavailable

TRIES: Final = 7
"""POSTs that surely were not taken; with stamina's pauses the last one is sent some 9 s after the first."""

QUESTIONS: Final = 12
"""Polls, and downloads from a storage that is down; the last one some 35 s after the first."""

DOWNLOADS: Final = 3
"""Downloads of a result that arrives broken or is not there."""

BREATH: Final = 1.0
"""Before a POST whose outcome is unknown is repeated at the same provider."""

UNKNOWN_WAIT: Final = 60.0
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
