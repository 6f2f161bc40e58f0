"""Keeps outgoing calls below Telegram's flood limits, results first, without one chat holding up another."""

from __future__ import annotations

import asyncio
import heapq
from collections import OrderedDict
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol

from telegram.error import RetryAfter
from telegram.ext import BaseRateLimiter

from bot.windows import AT_ONCE, MESSAGE, RESULT, SMALL, Call, Chat, Window
from storage.rates import Limit

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from telegram._utils.types import JSONDict

TRIES = 5  # a call is repeated at most this often after a 429

COURTESIES = {"sendChatAction", "setMessageReaction"}
"""What is left out, not put off, when a chat or everyone is busy: it tells of the moment and must delay no result."""

RESULTS = {"sendPhoto", "sendDocument", "sendMediaGroup", "sendInvoice"}


def priority_of(endpoint: str, data: dict[str, Any]) -> int | None:
    """Return a call's priority, or None when it is not paced: answers, questions, deletions, calls to no chat."""
    if data.get("chat_id") is None or endpoint.startswith(("answer", "get", "delete")):
        return None
    if endpoint in RESULTS:
        return RESULT
    return MESSAGE if endpoint.startswith(("send", "forward", "copy")) else SMALL


class Gate(Protocol):
    """What all processes that send for this bot keep together; see storage.rates.Rates."""

    async def take(self, limits: Sequence[Limit]) -> Sequence[float]:
        """Count a call under all limits, or give the seconds that each wants it to wait."""

    async def hold(self, name: str, seconds: float) -> None:
        """Have everybody wait for so long."""


class Pacer(BaseRateLimiter[int]):
    """A rate limiter for python-telegram-bot; `rate` is calls a second over all chats. The clock is the loop's.

    A RetryAfter stops its own chat only, and the call is made again. COURTESIES are dropped, not queued, when a chat
    is busy, and what goes AT_ONCE when it is stopped. `rate_limit_args` may be RESULT, MESSAGE, SMALL or AT_ONCE to
    overrule the priority.
    With a `gate` it has the last word: the best call whose turn has come here asks it, one call after the other.
    """

    def __init__(self, rate: float, gate: Gate | None = None) -> None:
        size = max(1, int(rate))
        self._all = Window(size, size / rate)
        self._gate = gate
        self._asking: asyncio.Task[None] | None = None
        self._chats: OrderedDict[int | str, Chat] = OrderedDict()
        # Both hold (time or priority, the first call's number, a tie-break, its chat); an entry whose number
        # is no longer the chat's first call is stale, because whoever became first was placed anew.
        self._due: list[tuple[float, int, int, Chat]] = []  # the first call must wait till then
        self._ready: list[tuple[int, int, int, Chat]] = []  # the first call waits for `_all` only
        self._numbers, self._ties = count(), count()
        self._timer: asyncio.TimerHandle | None = None

    async def initialize(self) -> None:
        """Do nothing: there is nothing to prepare."""

    async def shutdown(self) -> None:
        """Let no timer and no waiting call outlive the bot; waiting calls are cancelled."""
        if self._timer:
            self._timer.cancel()
        if self._asking:
            self._asking.cancel()
            self._asking = None
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
        courtesy = endpoint in COURTESIES or rate_limit_args == AT_ONCE
        if courtesy and not await self._takes(chat, at_once=rate_limit_args == AT_ONCE):
            return True
        priority = priority if rate_limit_args is None else rate_limit_args
        slots = len(data["media"]) if endpoint == "sendMediaGroup" else 1
        number, attempt = next(self._numbers), 0
        chat.users += 1
        try:
            while True:
                attempt += 1
                if not courtesy:
                    await self._turn(chat, priority, number, slots)
                try:
                    return await callback(*args, **kwargs)
                except RetryAfter as error:
                    delay = chat.block(error, endpoint)
                    if self._gate:
                        await self._gate.hold(chat.limit().name, delay)
                    if courtesy:
                        return True
                    if attempt == TRIES:
                        raise
        finally:
            chat.users -= 1

    def _chat(self, chat_id: int | str) -> Chat:
        """Return the chat's record, and forget a chat or two that have long been quiet."""
        now = asyncio.get_running_loop().time()
        for _ in range(min(2, len(self._chats))):
            oldest, chat = self._chats.popitem(last=False)
            if not chat.idle(now):
                self._chats[oldest] = chat
        text = str(chat_id)
        if text not in self._chats:
            self._chats[text] = Chat(text, group=text.startswith(("-", "@")))
        return self._chats[text]

    async def _takes(self, chat: Chat, *, at_once: bool) -> bool:
        """Tell whether a courtesy may go: nothing waits, and both windows keep a slot for a result."""
        now = asyncio.get_running_loop().time()
        if at_once:
            return chat.blocked_until <= now
        tight = chat.queue or self._ready or chat.blocked_until > now or chat.all.free_at(now, 2) > now
        if tight or self._all.free_at(now, 2) > now:
            return False
        if self._gate and any(await self._gate.take([self._limit(spare=1), chat.limit(slots=0, spare=2)])):
            return False
        self._all.take(now)
        return True

    async def _turn(self, chat: Chat, priority: int, number: int, slots: int) -> None:
        """Wait until this call may be made."""
        loop = asyncio.get_running_loop()
        call = Call(priority, number, slots, loop.create_future())
        heapq.heappush(chat.queue, call)
        if chat.queue[0] is call:
            self._place(chat, loop.time())
        self._pump()
        await call.go

    def _place(self, chat: Chat, now: float) -> None:
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
        while self._ready and not self._asking:
            _, number, _, chat = self._ready[0]
            first = chat.queue[0] if chat.queue else None
            if first and first.number == number and not first.go.done() and chat.free_at(first, now) <= now:
                free = self._all.free_at(now, 1 + first.spare)
                if free > now:
                    return free
                if self._gate:
                    self._asking = asyncio.create_task(self._ask(self._gate, chat, first))
                    break
                heapq.heappop(chat.queue)
                self._let_go(chat, first, now)
                number = chat.queue[0].number if chat.queue else number
            heapq.heappop(self._ready)
            if chat.queue and chat.queue[0].number == number:
                self._place(chat, now)
        return None

    def _let_go(self, chat: Chat, call: Call, now: float) -> None:
        chat.take(call, now)
        self._all.take(now)
        call.go.set_result(None)

    def _limit(self, spare: int) -> Limit:
        return Limit("telegram", self._all.size, self._all.seconds, spare=spare)

    async def _ask(self, gate: Gate, chat: Chat, call: Call) -> None:
        """Let `call` go if all processes together may make it; else shut the windows that are full."""
        windows = [(self._all, self._limit(call.spare)), *chat.limits(call)]
        waits = await gate.take([limit for _, limit in windows])
        now = asyncio.get_running_loop().time()
        for (window, limit), wait in zip(windows, waits, strict=True):
            if wait > 0:
                window.shut(now + wait, limit.slots + limit.spare)
        if not any(waits) and not call.go.done():
            self._let_go(chat, call, now)
        self._asking = None
        self._pump()
