"""The way in: every update stands in the inbox before Telegram hears that it arrived, and stays until it is handled."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

import aiohttp
import httpx
import structlog
from telegram import Bot, Update
from telegram.ext import BaseUpdateProcessor

from bot.metrics import Metrics
from storage import inbox
from storage.database import Database

ALLOWED_UPDATES = ("message", "callback_query", "my_chat_member", "pre_checkout_query")
POLL_SECONDS = 30
"""How long Telegram may keep an empty getUpdates open."""

DONE_SECONDS = 0.05  # handled updates are marked together: a repeat within it does no harm
RETRY_SECONDS = 3.0
log = structlog.get_logger()
RawUpdate = Mapping[str, Any]


class Intake:
    """Writes updates down, hands each to the application once, and knows which were handled."""

    def __init__(self, db: Database, bot: Bot, queue: asyncio.Queue[object], metrics: Metrics) -> None:
        self._db = db
        self._bot = bot
        self._queue = queue
        self._metrics = metrics
        self._under_way: set[int] = set()  # queued here, not yet handled
        self._done: list[int] = []
        self._marking: asyncio.Task[None] | None = None

    async def accept(self, updates: Sequence[RawUpdate]) -> None:
        """Write the updates down and queue those that are new. Returns when they are safe."""
        fresh = await self._db.persist(lambda conn: inbox.add(conn, updates, time.time()))
        for _ in range(len(updates) - len(fresh)):
            self._metrics.update_repeated()
        await self._enqueue(fresh)

    async def replay(self) -> None:
        """Queue what an earlier process wrote down but did not handle; what came by webhook meanwhile is queued."""
        async with self._db.read() as conn:
            waiting = await inbox.waiting(conn)
        if waiting:
            log.info("updates left by the last run", count=len(waiting))
        await self._enqueue(waiting)

    async def _enqueue(self, updates: Sequence[RawUpdate]) -> None:
        for raw in updates:
            if raw["update_id"] in self._under_way:
                continue
            self._under_way.add(raw["update_id"])
            self._metrics.update(next((kind for kind in ALLOWED_UPDATES if kind in raw), "other"))
            try:
                update = Update.de_json(dict(raw), self._bot)
            except Exception:  # whatever PTB stumbles over, it would again at each start
                log.exception("an update nobody can read", update_id=raw["update_id"])
                self.handled(raw["update_id"])
            else:
                await self._queue.put(update)

    def handled(self, update_id: int) -> None:
        """Remember, soon, that the update needs no handling any more."""
        self._under_way.discard(update_id)
        self._done.append(update_id)
        if self._marking is None or self._marking.done():
            self._marking = asyncio.create_task(self._mark())

    async def _mark(self) -> None:
        while self._done:
            await asyncio.sleep(DONE_SECONDS)
            ids, self._done = self._done, []
            await self._db.persist(lambda conn, ids=ids: inbox.done(conn, ids, time.time()))  # type: ignore[misc]  # mypy cannot type a lambda's default

    async def close(self) -> None:
        """Write down what was handled last."""
        if self._marking is not None:
            await self._marking


class Processor(BaseUpdateProcessor):
    """Handles updates of different chats at the same time, those of one chat in order.

    `limit` is how many may be under way, those waiting for their chat's turn included: far above what one chat sends.
    `holding` gives what an update still waits for after its handlers have returned.
    """

    def __init__(
        self,
        intake: Intake,
        limit: int = 4096,
        *,
        holding: Callable[[int], asyncio.Task[None] | None] = lambda _: None,
    ) -> None:
        super().__init__(limit)
        self._intake = intake
        self._holding = holding
        self._turns: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()  # by chat, while anyone waits
        self._tasks: set[asyncio.Task[Any]] = set()

    async def do_process_update(self, update: object, coroutine: Awaitable[Any]) -> None:
        """Await the handlers, then mark the update; one that is cancelled stays for the next start."""
        if task := asyncio.current_task():
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        chat = update.effective_chat.id if isinstance(update, Update) and update.effective_chat else 0
        turn = self._turns.setdefault(chat, asyncio.Lock())
        async with turn:
            await coroutine
        if not isinstance(update, Update):
            return
        errand = self._holding(update.update_id)
        if errand is None:
            self._intake.handled(update.update_id)
        else:
            errand.add_done_callback(partial(self._over, update.update_id))

    def _over(self, update_id: int, errand: asyncio.Task[None]) -> None:
        if not errand.cancelled():
            self._intake.handled(update_id)

    async def cut_short(self) -> None:
        """Cancel what is under way: left alone it would fail without Telegram and count as handled."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def initialize(self) -> None:
        """Nothing to prepare."""

    async def shutdown(self) -> None:
        """Write down what was handled last."""
        await self._intake.close()


async def poll(bot: Bot, client: httpx.AsyncClient, intake: Intake) -> None:
    """Ask Telegram for updates until cancelled; what was written down is confirmed with the next question."""
    offset = 0
    while True:
        try:
            response = await client.post(
                f"{bot.base_url}/getUpdates",
                json={"offset": offset, "timeout": POLL_SECONDS, "allowed_updates": ALLOWED_UPDATES},
                timeout=httpx.Timeout(10, read=POLL_SECONDS + 10),
            )
            body = response.json()
            updates = _updates(body)
        except (httpx.HTTPError, aiohttp.ClientError, ValueError, RecursionError) as error:
            # The address holds the token: the exception itself goes nowhere. What is no HTTP leaves httpx-aiohttp 0.2
            # as aiohttp's own error.
            log.warning("no updates from Telegram", cause=type(error).__name__)
            await asyncio.sleep(RETRY_SECONDS)
            continue
        if updates is None:
            log.warning("Telegram refused getUpdates", status=response.status_code, why=body.get("description"))
            await asyncio.sleep(_pause(body))
        elif updates:
            await intake.accept(updates)
            offset = max(update["update_id"] for update in updates) + 1


def _updates(body: object) -> list[RawUpdate] | None:
    """Read the answer to getUpdates; None when Telegram refused. Raises ValueError when it is none."""
    match body:
        case {"ok": True, "result": [*updates]}:
            if not all(isinstance(update, dict) and _is_id(update.get("update_id")) for update in updates):
                raise ValueError
            return updates
        case {"ok": False}:
            return None
    raise ValueError


def _is_id(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _pause(refusal: object) -> float:
    """Give the seconds that Telegram asks for, or ours."""
    match refusal:
        case {"parameters": {"retry_after": int() | float() as seconds}} if seconds > 0:
            return seconds
    return RETRY_SECONDS
