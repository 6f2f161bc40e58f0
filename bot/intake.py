"""The way in: every update stands in the inbox before Telegram hears that it arrived, and stays until it is handled."""

import asyncio
import json
import time
from collections.abc import Awaitable, Coroutine, Sequence
from contextlib import aclosing, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol, TypedDict
from weakref import WeakValueDictionary

import aiohttp
import httpx
import structlog
from telegram import Bot, Update
from telegram.ext import ApplicationHandlerStop, BaseUpdateProcessor, CallbackContext

from bot.metrics import Metrics
from storage import inbox
from storage.database import Database
from storage.inbox import RawUpdate

ALLOWED_UPDATES = ("message", "callback_query", "my_chat_member", "pre_checkout_query")
POLL_SECONDS = 30
"""How long Telegram may keep an empty getUpdates open."""

UNDER_WAY = 4096
"""Updates at most, those waiting for their chat's turn included: far above what one chat sends."""

DONE_SECONDS = 0.05  # handled updates are marked together: a repeat within it does no harm
RETRY_SECONDS = 3.0
log = structlog.get_logger()


class _Whose(TypedDict):
    me: int
    shared: bool


@dataclass(slots=True)
class _Held:
    """An update of this process, of a chat (0: of none); it is None once it is handled."""

    chat: int
    update: Update | None = None


class Process(Protocol):
    """This process among those that share the database; see jobs.membership."""

    @property
    def id(self) -> int:
        """Its number; 0 while it was taken for dead, and then another one."""


class Intake:
    """Writes updates down, hands each to the application once, and knows which were handled.

    Of several processes on one database one has a chat's updates at a time: it takes over what others wrote down
    meanwhile. `me` is this process.
    """

    def __init__(self, db: Database, bot: Bot, queue: asyncio.Queue[object], metrics: Metrics, me: Process) -> None:
        self._db = db
        self._bot = bot
        self._queue = queue
        self._metrics = metrics
        self._me = me
        # What comes over several connections must get into the queue in the order it was written down.
        self._turn = asyncio.Lock() if db.on_server else nullcontext()
        self._under_way: dict[int, _Held] = {}  # until they are marked
        self._done: list[int] = []
        self._marking: asyncio.Task[None] | None = None
        self._open = True

    async def accept(self, updates: Sequence[RawUpdate]) -> None:
        """Write the updates down and queue those that are new and this process's. Returns when they are safe."""
        async with self._turn:
            whose = self._whose()
            added = await self._db.persist(lambda conn: inbox.add(conn, updates, time.time(), **whose))
            for _ in range(added.known):
                self._metrics.update_repeated()
            await self._enqueue(added.mine, whose)

    async def claim(self) -> None:
        """Queue what nobody handles: left by a process that ended, or by this one in trouble with the database."""
        async with self._turn:
            if not self._open:
                return  # it beats to its very end
            whose = self._whose()
            found = await self._db.persist(lambda conn: inbox.claim(conn, known=self._under_way, **whose))
            if found:
                log.info("updates left behind", count=len(found))
            await self._enqueue(found, whose)

    def _whose(self) -> _Whose:
        return {"me": self._me.id, "shared": self._db.on_server}

    async def _enqueue(self, updates: Sequence[RawUpdate], whose: _Whose) -> None:
        for raw in updates:
            update_id = raw["update_id"]
            alive = whose["me"] == self._me.id != 0  # else it is for the living to claim
            if update_id in self._under_way or not self._open or not alive:
                continue
            held = self._under_way[update_id] = _Held(inbox.chat_of(raw))
            self._metrics.update(next((kind for kind in ALLOWED_UPDATES if kind in raw), "other"))
            try:
                held.update = Update.de_json(dict(raw), self._bot)
            except Exception:  # whatever PTB stumbles over, it would again at each start
                log.exception("an update nobody can read", update_id=update_id)
                self._mark(update_id)
            else:
                await self._queue.put(held.update)

    def has(self, update: Update) -> bool:
        """Tell whether an update from the queue is still this process's to handle."""
        held = self._under_way.get(update.update_id)
        return held is not None and held.update is update

    def handled(self, update: Update) -> None:
        """Remember, soon, that the update needs no handling any more."""
        if self.has(update):
            self._under_way[update.update_id].update = None
            self._mark(update.update_id)

    def put_off(self, update: Update, error: Exception | None) -> bool:
        """Leave an update in the inbox that the server's absence broke off; give whether that was it.

        Who can reach the server will claim it, this process or another. A database of this process's own has nobody
        else to claim it, and may be locked or full for long.
        """
        absent = self._db.on_server and error is not None and self._db.passes(error)
        return absent and self.has(update) and bool(self._under_way.pop(update.update_id))

    def _mark(self, update_id: int) -> None:
        self._done.append(update_id)
        if self._marking is None or self._marking.done():
            self._marking = asyncio.create_task(self._keep_marking())

    async def _keep_marking(self) -> None:
        while self._done:
            await asyncio.sleep(DONE_SECONDS)
            async with self._turn:
                ids, self._done = self._done, []
                whose, now = self._whose(), time.time()
                handled = {update_id: self._under_way[update_id].chat for update_id in ids}
                more = await self._db.persist(lambda conn: inbox.done(conn, handled, now, **whose))  # noqa: B023  it is over before the next round
                for update_id in handled:
                    self._under_way.pop(update_id, None)
                await self._enqueue(more, whose)

    def drop(self) -> None:
        """Forget what is under way: this process was taken for dead, and others handle it."""
        self._under_way.clear()
        self._done.clear()

    async def close(self) -> None:
        """Write down what was handled last, and leave the rest to others or to the next start."""
        self._open = False
        if self._marking is not None:
            await self._marking
        self.drop()
        if self._db.on_server:
            async with self._turn:  # after a claim that has begun
                me = self._me.id
                await self._db.persist(lambda conn: inbox.release(conn, me))


class Processor(BaseUpdateProcessor):
    """Handles updates of different chats at the same time, those of one chat in order."""

    def __init__(self, intake: Intake) -> None:
        super().__init__(UNDER_WAY)
        self._intake = intake
        self._turns: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()  # by chat, while anyone waits
        self._tasks: set[asyncio.Task[Any]] = set()

    async def do_process_update(self, update: object, coroutine: Awaitable[Any]) -> None:
        """Await the handlers, then mark the update; one that is cancelled stays for the next start."""
        if task := asyncio.current_task():
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if not isinstance(update, Update):
            await coroutine
            return
        chat = update.effective_chat.id if update.effective_chat else 0
        turn = self._turns.setdefault(chat, asyncio.Lock())
        try:
            async with turn:
                if self._intake.has(update):  # else another process has it by now
                    await coroutine
        finally:
            if isinstance(coroutine, Coroutine):
                coroutine.close()  # unless it ran
        self._intake.handled(update)

    async def put_off(self, update: object, context: CallbackContext[Any, Any, Any, Any]) -> None:
        """Have an update handled later that failed for want of the database, without a word to its person.

        Raises ApplicationHandlerStop if it will be: nothing else need be done about the error.
        """
        if isinstance(update, Update) and self._intake.put_off(update, context.error):
            log.warning("update put off", update_id=update.update_id, why=str(context.error))
            raise ApplicationHandlerStop

    async def cut_short(self) -> None:
        """Cancel what is under way: left alone it would fail without Telegram and count as handled."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def drop(self) -> None:
        """Leave all that is under way to other processes, which took this one for dead."""
        self._intake.drop()
        await self.cut_short()

    async def initialize(self) -> None:
        """Nothing to prepare."""

    async def shutdown(self) -> None:
        """Write down what was handled last."""
        await self._intake.close()


async def poll(bot: Bot, transport: httpx.AsyncBaseTransport, intake: Intake) -> None:
    """Ask Telegram for updates until cancelled; what was written down is confirmed with the next question."""
    offset = 0
    while True:
        try:
            request = httpx.Request(
                "POST",
                f"{bot.base_url}/getUpdates",
                json={"offset": offset, "timeout": POLL_SECONDS, "allowed_updates": ALLOWED_UPDATES},
                extensions={"timeout": httpx.Timeout(10, read=POLL_SECONDS + 10).as_dict()},
            )
            async with aclosing(await transport.handle_async_request(request)) as response:
                body = json.loads(await response.aread())
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
            if not all(map(inbox.is_update, updates)):
                raise ValueError
            return updates
        case {"ok": False}:
            return None
    raise ValueError


def _pause(refusal: object) -> float:
    """Give the seconds that Telegram asks for, or ours."""
    match refusal:
        case {"parameters": {"retry_after": int() | float() as seconds}} if seconds > 0:
            return seconds
    return RETRY_SECONDS
