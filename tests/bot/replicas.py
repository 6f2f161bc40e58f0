"""Processes that take updates, as the composition root builds them, on a Telegram that is written down."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import sqlalchemy as sa
from telegram.ext import ExtBot
from telegram.request import RequestData

from bot.front import make_application
from bot.intake import Intake, Processor
from bot.metrics import Metrics
from handlers.context import House
from jobs.dispatch import Desk
from jobs.membership import ALONE
from storage import albums, processes
from storage.database import Database
from storage.ledger import Terms
from storage.tables import albums as rows
from storage.tables import inbox, jobs
from tests.databases import reached
from tests.handlers.conftest import COSTS, WORDS
from tests.handlers.telegram_wire import Dispatched, Wire

SOON = 60.0
"""Seconds after which something does not happen any more, on however slow a machine."""

_numbers = itertools.count(1)
_WAITING = sa.select(inbox.c.update_id).where(inbox.c.done_at.is_(None)).limit(1)


class SlowWire(Wire):
    """A Telegram that says nothing to a message until `gate` opens."""

    def __init__(self) -> None:
        super().__init__()
        self.gate: asyncio.Event | None = None
        self.reached = asyncio.Event()

    async def do_request(
        self, url: str, method: str, request_data: RequestData | None = None, *more: object, **named: object
    ) -> tuple[int, bytes]:
        """Take a call, and keep a message waiting."""
        if self.gate is not None and url.endswith("/sendMessage"):
            self.reached.set()
            await self.gate.wait()
        return await super().do_request(url, method, request_data, *more, **named)


class Replica:
    """A process that takes updates; its admin is person 1."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.id = ALONE.id
        self.wire = SlowWire()
        bot = ExtBot("99:token", request=self.wire, get_updates_request=self.wire)
        queue: asyncio.Queue[object] = asyncio.Queue()
        terms = Terms(allowance=100)
        self.intake = Intake(db, bot, queue, Metrics(), self)
        self.processor = Processor(self.intake)
        desk = Desk(db, Dispatched(), terms, COSTS)
        house = House(db, desk, WORDS, terms, COSTS, frozenset({1}), None)
        self.app = make_application(bot, queue, self.processor, house)

    async def start(self) -> None:
        """Join the others, and take updates."""
        if self.db.on_server:
            self.id = await self.db.transact(lambda conn: processes.join(conn, "web"))
        await self.app.initialize()
        await self.app.start()

    async def stop(self) -> None:
        """End as one should."""
        await self.app.bot_data.house.errands.close()
        await self.app.stop()
        await self.app.shutdown()

    async def die(self) -> None:
        """End like a process that is killed; the others bury it."""
        await self.app.bot_data.house.errands.close()
        await self.processor.cut_short()
        if self.db.on_server:
            await self.db.transact(lambda conn: processes.leave(conn, self.id))

    async def take(self, said: dict[str, Any]) -> None:
        """Have Telegram send a message here."""
        await self.receive(message=said)

    async def receive(self, **update: dict[str, Any]) -> None:
        """Have Telegram send something here."""
        await self.intake.accept([{"update_id": next(_numbers), **update}])

    async def say(self, said: dict[str, Any]) -> list[str]:
        """Have Telegram send a message here, and give what is said once it was handled."""
        before = len(self.wire.texts())
        await self.take(said)
        await self.until_handled()
        return self.wire.texts()[before:]

    async def until_handled(self) -> None:
        """Wait until the inbox is empty."""
        async with asyncio.timeout(SOON):
            while await self.db.look(lambda conn: conn.one(_WAITING)):
                await asyncio.sleep(0.005)

    async def jobs(self) -> list[dict[str, Any]]:
        """Give all jobs, in the order of their pictures."""
        async with self.db.read() as conn:
            return [dict(row) for row in await conn.all(sa.select(jobs).order_by(jobs.c.place, jobs.c.id))]

    async def album(self) -> dict[str, Any] | None:
        """Give the album as it stands."""
        async with self.db.read() as conn:
            found = await conn.all(sa.select(rows))
        return dict(found[0]) if found else None

    async def until_complete(self) -> None:
        """Wait until nothing more is to be done with the album."""
        async with asyncio.timeout(SOON):
            while not (album := await self.album()) or album["due_at"] is not None:
                await asyncio.sleep(0.01)

    async def until_seen(self, count: int) -> None:
        """Wait until so many pictures are written down."""
        async with asyncio.timeout(SOON):
            while len(await self.db.look(lambda conn: albums.pictures(conn, 7, "g"))) < count:
                await asyncio.sleep(0.005)


@asynccontextmanager
async def replicas(url: str, count: int) -> AsyncIterator[list[Replica]]:
    """Have so many processes at work on one database."""
    async with AsyncExitStack() as stack:
        made = [Replica(await stack.enter_async_context(reached(url))) for _ in range(count)]
        for replica in made:
            await replica.start()
            stack.push_async_callback(replica.stop)
        yield made
