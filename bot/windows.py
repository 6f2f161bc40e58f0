"""What one chat may receive and when: sliding windows over the calls made to it, and the calls that wait."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from storage.rates import Limit

if TYPE_CHECKING:
    from telegram.error import RetryAfter

# Telegram's FAQ: about one message a second in a chat (short bursts pass), 20 a minute in a group.
CHAT_WINDOW = (3, 3.0)
GROUP_WINDOW = (20, 60.0)
RESULT, MESSAGE, SMALL = range(3)  # priorities, the best first
AT_ONCE = -1
"""In place of a priority: not paced, because a person's finger is the pace, and nothing depends on the call."""

log = structlog.get_logger()


class Window:
    """At most `size` calls in any `seconds` seconds."""

    __slots__ = ("_shut_slots", "_shut_until", "_stamps", "seconds", "size")

    def __init__(self, size: int, seconds: float) -> None:
        self.size, self.seconds = size, seconds
        self._stamps: deque[float] = deque()
        self._shut_until, self._shut_slots = 0.0, 0

    def free_at(self, now: float, slots: int = 1) -> float:
        """Return when `slots` (at most `size` of them) are free: `now`, or a later time."""
        while self._stamps and self._stamps[0] + self.seconds <= now:
            self._stamps.popleft()
        lacking = len(self._stamps) + min(slots, self.size) - self.size
        at = self._stamps[lacking - 1] + self.seconds if lacking > 0 else now
        return max(at, self._shut_until) if slots >= self._shut_slots else at

    def take(self, now: float, slots: int = 1) -> None:
        """Use `slots` at `now`."""
        self._stamps.extend([now] * min(slots, self.size))

    def shut(self, until: float, slots: int) -> None:
        """Let so many slots or more not be free before `until`: other processes use them."""
        self._shut_until, self._shut_slots = until, slots

    def idle(self, now: float) -> bool:
        """Tell whether nothing counts against this window any more."""
        return not self._stamps or self._stamps[-1] + self.seconds <= now


@dataclass(order=True, slots=True)
class Call:
    """One waiting call; `go` is done when it may be made."""

    priority: int
    number: int
    slots: int = field(compare=False)
    go: asyncio.Future[None] = field(compare=False)

    @property
    def spare(self) -> int:
        """How many slots must stay free after it: small calls leave one for a result."""
        return 1 if self.priority >= SMALL else 0


class Chat:
    """What one chat has used up and has waiting."""

    __slots__ = ("all", "blocked_until", "edits", "messages", "name", "queue", "users")

    def __init__(self, name: str, *, group: bool) -> None:
        self.name = name
        self.all = Window(*CHAT_WINDOW)
        # Edits have a group window of their own: they can never use up what the messages may.
        self.messages = Window(*GROUP_WINDOW) if group else None
        self.edits = Window(*GROUP_WINDOW) if group else None
        self.blocked_until = 0.0
        self.queue: list[Call] = []
        self.users = 0  # calls waiting or under way

    def free_at(self, call: Call, now: float) -> float:
        """Return when this chat lets `call` go."""
        window = self.edits if call.priority >= SMALL else self.messages
        in_group = window.free_at(now, call.slots) if window else now
        return max(self.blocked_until, self.all.free_at(now, 1 + call.spare), in_group)

    def take(self, call: Call, now: float) -> None:
        """Count `call` as made."""
        self.all.take(now)
        window = self.edits if call.priority >= SMALL else self.messages
        if window:
            window.take(now, call.slots)

    def limits(self, call: Call) -> list[tuple[Window, Limit]]:
        """Give the windows that `call` counts in, each with what all processes keep in its place."""
        window, kind = (self.edits, "edits") if call.priority >= SMALL else (self.messages, "messages")
        in_group = [(window, Limit(f"{kind} {self.name}", *GROUP_WINDOW, slots=call.slots))] if window else []
        return [(self.all, self.limit(spare=call.spare)), *in_group]

    def limit(self, slots: int = 1, spare: int = 0) -> Limit:
        """Give what all processes keep in place of `all`."""
        return Limit(f"chat {self.name}", self.all.size, self.all.seconds, slots, spare)

    def block(self, error: RetryAfter, endpoint: str) -> float:
        """Let nothing go to this chat for as long as Telegram asks; give how many seconds that is."""
        wait = error.retry_after
        delay = wait.total_seconds() if isinstance(wait, timedelta) else wait
        self.blocked_until = max(self.blocked_until, asyncio.get_running_loop().time() + delay)
        log.info("telegram asks for patience", endpoint=endpoint, seconds=delay)
        return delay

    def idle(self, now: float) -> bool:
        """Tell whether this chat can be forgotten."""
        windows = [window for window in (self.all, self.messages, self.edits) if window]
        return not self.users and self.blocked_until <= now and all(window.idle(now) for window in windows)
