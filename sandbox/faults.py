"""What goes wrong on request: errors, resets, lost answers and delays; and Telegram's flood limits."""

import asyncio
import time
from collections import defaultdict, deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sandbox.errors import Refused

MINUTE = 60.0


@dataclass
class Fault:
    """Befalls the next *times* calls of *method* (any when empty) in *chat_id* (any when None).

    *kind*: ``error`` answers *status* at once · ``reset`` breaks the connection before anything happens ·
    ``lost`` lets the call take effect and breaks the connection instead of answering · ``garbage`` answers
    something that is not JSON · ``delay`` only waits. All wait *delay* seconds first, or until faults are forgotten.
    """

    kind: str
    method: str = ""
    times: int = 1
    status: int = 500
    retry_after: int | None = None
    description: str = "Internal Server Error"
    delay: float = 0.0
    chat_id: int | None = None

    def refusal(self) -> Refused:
        """Return the answer of an ``error``."""
        extra = {} if self.retry_after is None else {"retry_after": self.retry_after}
        words = self.description
        if self.retry_after is not None:
            words = f"Too Many Requests: retry after {self.retry_after}"
        return Refused(self.status, words, **extra)


@dataclass
class Flood:
    """Telegram's limits on sending; 0 switches one off, and all are off until asked for."""

    per_second: int = 0
    per_chat_second: int = 0
    per_group_minute: int = 0
    sent: dict[Any, deque[float]] = field(default_factory=lambda: defaultdict(deque))

    def check(self, chat_id: object) -> None:
        """Count one message; raise 429 with retry_after when a limit is passed."""
        rules = [("all", self.per_second, 1.0), (("second", chat_id), self.per_chat_second, 1.0)]
        if str(chat_id).startswith("-"):
            rules.append((("minute", chat_id), self.per_group_minute, MINUTE))
        now = time.monotonic()
        active = [(self.sent[key], most, span) for key, most, span in rules if most]
        for times, most, span in active:
            while times and times[0] <= now - span:
                times.popleft()
            if len(times) >= most:
                wait = int(times[0] + span - now) + 1
                raise Refused(429, f"Too Many Requests: retry after {wait}", retry_after=wait)
        for times, _, _ in active:
            times.append(now)


@dataclass
class Faults:
    """The faults that are still to befall someone, in the order they were asked for."""

    waiting: list[Fault] = field(default_factory=list)
    flood: Flood = field(default_factory=Flood)
    _forgotten: asyncio.Event = field(default_factory=asyncio.Event)

    def forget(self) -> None:
        """Have nothing befall anyone any more; who waits in a fault goes on."""
        self.waiting.clear()
        self._forgotten.set()
        self._forgotten = asyncio.Event()

    async def wait(self, fault: Fault) -> None:
        """Wait as long as *fault* says."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._forgotten.wait(), fault.delay)

    def next_for(self, method: str, chat_id: object) -> Fault | None:
        """Take the fault that this call meets, if any."""
        for fault in self.waiting:
            if fault.method in {"", method} and (fault.chat_id is None or str(fault.chat_id) == str(chat_id)):
                fault.times -= 1
                if fault.times <= 0:
                    self.waiting.remove(fault)
                return fault
        return None
