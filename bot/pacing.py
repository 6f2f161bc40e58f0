"""Keeps outgoing calls below Telegram's flood limits, results first, without one chat holding up another."""

from __future__ import annotations

import asyncio
import heapq
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

import structlog
from telegram.error import RetryAfter
from telegram.ext import BaseRateLimiter

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from telegram._utils.types import JSONDict

# Telegram's FAQ: about one message a second in a chat (short bursts pass), 20 a minute in a group.
CHAT_WINDOW = (3, 3.0)
GROUP_WINDOW = (20, 60.0)
TRIES = 5  # a call is repeated at most this often after a 429

RESULT, MESSAGE, SMALL = range(3)  # priorities; `rate_limit_args=RESULT` lifts any call to the front
RESULTS = {"sendPhoto", "sendDocument", "sendMediaGroup", "sendInvoice"}

log = structlog.get_logger()


class Window:
    """At most `size` calls in any `seconds` seconds."""

    __slots__ = ("_stamps", "seconds", "size")

    def __init__(self, size: int, seconds: float) -> None:
        self.size, self.seconds = size, seconds
        self._stamps: deque[float] = deque()

    def free_at(self, now: float, slots: int = 1) -> float:
        """Return when `slots` (at most `size` of them) are free: `now`, or a later time."""
        while self._stamps and self._stamps[0] + self.seconds <= now:
            self._stamps.popleft()
        lacking = len(self._stamps) + min(slots, self.size) - self.size
        return self._stamps[lacking - 1] + self.seconds if lacking > 0 else now

    def take(self, now: float, slots: int = 1) -> None:
        """Use `slots` at `now`."""
        self._stamps.extend([now] * min(slots, self.size))

    def idle(self, now: float) -> bool:
        """Tell whether nothing counts against this window any more."""
        return not self._stamps or self._stamps[-1] + self.seconds <= now


@dataclass(order=True, slots=True)
class _Call:
    """One waiting call; `go` is done when it may be made."""

    priority: int
    number: int
    slots: int = field(compare=False)
    go: asyncio.Future[None] = field(compare=False)

    @property
    def spare(self) -> int:
        """How many slots must stay free after it: small calls leave one for a result."""
        return 1 if self.priority >= SMALL else 0


class _Chat:
    """What one chat has used up and has waiting."""

    __slots__ = ("all", "blocked_until", "edits", "messages", "queue", "users")

    def __init__(self, *, group: bool) -> None:
        self.all = Window(*CHAT_WINDOW)
        # Edits have a group window of their own: they can never use up what the messages may.
        self.messages = Window(*GROUP_WINDOW) if group else None
        self.edits = Window(*GROUP_WINDOW) if group else None
        self.blocked_until = 0.0
        self.queue: list[_Call] = []
        self.users = 0  # calls waiting or under way

    def free_at(self, call: _Call, now: float) -> float:
        """Return when this chat lets `call` go."""
        window = self.edits if call.priority >= SMALL else self.messages
        in_group = window.free_at(now, call.slots) if window else now
        return max(self.blocked_until, self.all.free_at(now, 1 + call.spare), in_group)

    def take(self, call: _Call, now: float) -> None:
        """Count `call` as made."""
        self.all.take(now)
        window = self.edits if call.priority >= SMALL else self.messages
        if window:
            window.take(now, call.slots)

    def block(self, error: RetryAfter, endpoint: str) -> None:
        """Let nothing go to this chat for as long as Telegram asks."""
        delay = error._retry_after.total_seconds()  # noqa: SLF001  the public name warns of its deprecation
        self.blocked_until = max(self.blocked_until, asyncio.get_running_loop().time() + delay)
        log.info("telegram asks for patience", endpoint=endpoint, seconds=delay)

    def idle(self, now: float) -> bool:
        """Tell whether this chat can be forgotten."""
        windows = [window for window in (self.all, self.messages, self.edits) if window]
        return not self.users and self.blocked_until <= now and all(window.idle(now) for window in windows)


def priority_of(endpoint: str, data: dict[str, Any]) -> int | None:
    """Return a call's priority, or None when it is not paced: answers, questions, calls to no chat."""
    if data.get("chat_id") is None or endpoint.startswith(("answer", "get")):
        return None
    if endpoint in RESULTS:
        return RESULT
    return MESSAGE if endpoint.startswith(("send", "forward", "copy")) else SMALL


class Pacer(BaseRateLimiter[int]):
    """A rate limiter for python-telegram-bot; `rate` is calls a second over all chats. The clock is the loop's.

    A RetryAfter stops its own chat only, and the call is made again. Chat actions are dropped, not
    queued, when a chat is busy. `rate_limit_args` may be RESULT, MESSAGE or SMALL to overrule the priority.
    """

    def __init__(self, rate: float) -> None:
        size = max(1, int(rate))
        self._all = Window(size, size / rate)
        self._chats: OrderedDict[int | str, _Chat] = OrderedDict()
        # Both hold (time or priority, the first call's number, a tie-break, its chat); an entry whose number
        # is no longer the chat's first call is stale, because whoever became first was placed anew.
        self._due: list[tuple[float, int, int, _Chat]] = []  # the first call must wait till then
        self._ready: list[tuple[int, int, int, _Chat]] = []  # the first call waits for `_all` only
        self._numbers, self._ties = count(), count()
        self._timer: asyncio.TimerHandle | None = None

    async def initialize(self) -> None:
        """Do nothing: there is nothing to prepare."""

    async def shutdown(self) -> None:
        """Let no timer and no waiting call outlive the bot; waiting calls are cancelled."""
        if self._timer:
            self._timer.cancel()
        for chat in self._chats.values():
            for call in chat.queue:
                call.go.cancel()
        self._chats.clear()
        self._due.clear()
        self._ready.clear()

    async def process_request(
        self,
        callback: Callable[..., Coroutine[Any, Any, bool | JSONDict | list[JSONDict]]],
        args: Any,  # noqa: ANN401  the base class's signature
        kwargs: dict[str, Any],
        endpoint: str,
        data: dict[str, Any],
        rate_limit_args: int | None,
    ) -> bool | JSONDict | list[JSONDict]:
        """Make the call when its turn comes; raises what it raises, RetryAfter only after TRIES attempts."""
        priority = priority_of(endpoint, data)
        if priority is None:
            return await callback(*args, **kwargs)
        chat = self._chat(data["chat_id"])
        if endpoint == "sendChatAction" and not self._takes_action(chat):
            return True
        priority = priority if rate_limit_args is None else rate_limit_args
        slots = len(data["media"]) if endpoint == "sendMediaGroup" else 1
        number, attempt = next(self._numbers), 0
        chat.users += 1
        try:
            while True:
                attempt += 1
                if endpoint != "sendChatAction":
                    await self._turn(chat, priority, number, slots)
                try:
                    return await callback(*args, **kwargs)
                except RetryAfter as error:
                    chat.block(error, endpoint)
                    if endpoint == "sendChatAction":
                        return True
                    if attempt == TRIES:
                        raise
        finally:
            chat.users -= 1

    def _chat(self, chat_id: int | str) -> _Chat:
        """Return the chat's record, and forget a chat or two that have long been quiet."""
        now = asyncio.get_running_loop().time()
        for _ in range(min(2, len(self._chats))):
            oldest, chat = self._chats.popitem(last=False)
            if not chat.idle(now):
                self._chats[oldest] = chat
        text = str(chat_id)
        if text not in self._chats:
            self._chats[text] = _Chat(group=text.startswith(("-", "@")))
        return self._chats[text]

    def _takes_action(self, chat: _Chat) -> bool:
        """Tell whether a chat action may go: nothing waits, and both windows keep a slot for a result."""
        now = asyncio.get_running_loop().time()
        tight = chat.queue or self._ready or chat.blocked_until > now or chat.all.free_at(now, 2) > now
        if tight or self._all.free_at(now, 2) > now:
            return False
        self._all.take(now)
        return True

    async def _turn(self, chat: _Chat, priority: int, number: int, slots: int) -> None:
        """Wait until this call may be made."""
        loop = asyncio.get_running_loop()
        call = _Call(priority, number, slots, loop.create_future())
        heapq.heappush(chat.queue, call)
        if chat.queue[0] is call:
            self._place(chat, loop.time())
        self._pump()
        await call.go

    def _place(self, chat: _Chat, now: float) -> None:
        """Put a chat where its first call belongs: among the ready or among the due ones."""
        while chat.queue and chat.queue[0].go.done():  # cancelled while it waited
            heapq.heappop(chat.queue)
        if not chat.queue:
            return
        first = chat.queue[0]
        at = chat.free_at(first, now)
        if at <= now:
            heapq.heappush(self._ready, (first.priority, first.number, next(self._ties), chat))
        else:
            heapq.heappush(self._due, (at, first.number, next(self._ties), chat))

    def _pump(self) -> None:
        """Let go whatever may go now, and come back when the next may."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        while self._due and self._due[0][0] <= now:
            _, number, _, chat = heapq.heappop(self._due)
            if chat.queue and chat.queue[0].number == number:
                self._place(chat, now)
        full_until = self._release(now)
        wake = [at for at in (full_until, self._due[0][0] if self._due else None) if at is not None]
        if self._timer:
            self._timer.cancel()
        self._timer = loop.call_at(min(wake), self._pump) if wake else None

    def _release(self, now: float) -> float | None:
        """Let ready calls go, best first; returns when to go on if the window over all chats is full."""
        while self._ready:
            _, number, _, chat = self._ready[0]
            first = chat.queue[0] if chat.queue else None
            if first and first.number == number and not first.go.done() and chat.free_at(first, now) <= now:
                free = self._all.free_at(now, 1 + first.spare)
                if free > now:
                    return free
                heapq.heappop(chat.queue)
                chat.take(first, now)
                self._all.take(now)
                first.go.set_result(None)
                number = chat.queue[0].number if chat.queue else number
            heapq.heappop(self._ready)
            if chat.queue and chat.queue[0].number == number:
                self._place(chat, now)
        return None
