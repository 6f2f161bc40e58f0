"""Several processes at one inbox: each update once, a chat's in order, whichever of them it comes to and dies."""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import pytest
from telegram import Update
from telegram.ext import ExtBot

from bot import intake as intake_module
from bot.intake import Intake, Processor
from bot.metrics import Metrics
from storage import processes
from storage.database import Database
from tests.bot.test_intake import update
from tests.botapi import TOKEN
from tests.databases import reached


@dataclass
class Ledger:
    """What all replicas did: by chat the updates in the order they were handled, and who is at it."""

    handled: defaultdict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    begun: list[int] = field(default_factory=list)
    busy: set[int] = field(default_factory=set)
    gates: dict[int, asyncio.Event] = field(default_factory=dict)
    seconds: float = 0.0

    async def handle(self, one: Update) -> None:
        """Handle an update as slowly as its gate opens; nobody else may be at its chat."""
        assert one.effective_chat
        chat = one.effective_chat.id
        assert chat not in self.busy
        self.busy.add(chat)
        self.begun.append(one.update_id)
        try:
            await asyncio.sleep(self.seconds)
            if gate := self.gates.get(one.update_id):
                await gate.wait()
            self.handled[chat].append(one.update_id)
        finally:
            self.busy.discard(chat)

    async def until(self, count: int) -> None:
        """Wait until so many were handled."""
        async with asyncio.timeout(60):
            while sum(map(len, self.handled.values())) < count:
                await asyncio.sleep(0.002)


class Replica:
    """A process with an inbox of its own make, as the composition root builds it."""

    def __init__(self, db: Database, bot: ExtBot[None], ledger: Ledger) -> None:
        self.db = db
        self.id = 0
        self.queue: asyncio.Queue[object] = asyncio.Queue()
        self.intake = Intake(db, bot, self.queue, Metrics(), self)
        self.processor = Processor(self.intake)
        self.ledger = ledger
        self.tasks: set[asyncio.Task[None]] = set()

    async def join(self) -> None:
        """Become one of the living, under a new id."""
        self.id = await self.db.transact(lambda conn: processes.join(conn, "web"))

    async def work(self) -> None:
        """Take updates from the queue as PTB does."""
        while True:
            one = await self.queue.get()
            assert isinstance(one, Update)
            task = asyncio.create_task(self.processor.process_update(one, self.ledger.handle(one)))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def die(self) -> None:
        """End without a word, and be buried by the others."""
        await self.processor.cut_short()
        await self.bury()

    async def bury(self) -> None:
        """Have the others take this process for dead."""
        await self.db.transact(lambda conn: processes.leave(conn, self.id))


@asynccontextmanager
async def replicas(url: str, count: int, ledger: Ledger) -> AsyncIterator[list[Replica]]:
    async with AsyncExitStack() as stack:
        made = []
        for _ in range(count):
            db = await stack.enter_async_context(reached(url))
            replica = Replica(db, ExtBot(TOKEN), ledger)
            await replica.join()
            task = asyncio.create_task(replica.work())
            stack.callback(task.cancel)
            stack.push_async_callback(replica.processor.shutdown)
            made.append(replica)
        yield made


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "DONE_SECONDS", 0.001)


async def test_alternating_between_two(server_url: str) -> None:
    """Updates of four chats come now to the one, now to the other: each is handled once, each chat in order."""
    ledger, dice = Ledger(seconds=0.005), random.Random(6)  # noqa: S311  no secret

    async def send(chat: int) -> None:
        for number in range(40):
            await dice.choice(both).intake.accept([update(number * 4 + chat, chat=chat)])
            await asyncio.sleep(dice.random() / 50)  # sometimes while the last one is being handled, or marked

    async with replicas(server_url, 2, ledger) as both:
        await asyncio.gather(*(send(chat) for chat in range(1, 5)))
        await ledger.until(160)
    assert ledger.handled == {chat: list(range(chat, 160 + chat, 4)) for chat in range(1, 5)}


async def test_the_same_update_to_all(server_url: str) -> None:
    """Telegram repeats itself to whoever listens: one handles it."""
    ledger = Ledger()
    async with replicas(server_url, 3, ledger) as three:
        for number in range(10):
            await asyncio.gather(*(each.intake.accept([update(number)]) for each in three))
        await ledger.until(10)
    assert ledger.handled == {7: list(range(10))}


async def test_a_dead_process_leaves_nothing_behind(server_url: str) -> None:
    """One dies in the middle of an update; another goes on with it and with what waited for it, in order."""
    ledger = Ledger()
    ledger.gates = {1: asyncio.Event()}
    async with replicas(server_url, 2, ledger) as (ann, ben):
        await ann.intake.accept([update(1), update(2)])
        await ben.intake.accept([update(3)])
        while not ledger.begun:
            await asyncio.sleep(0)
        await ann.die()
        ledger.gates.clear()
        await ben.intake.claim()
        await ledger.until(3)
        assert ledger.handled == {7: [1, 2, 3]}


async def test_taken_for_dead(server_url: str) -> None:
    """A process that slept too long drops what it had, which is another's, and goes on under a new id."""
    ledger = Ledger()
    ledger.gates = {1: asyncio.Event()}
    async with replicas(server_url, 2, ledger) as (ann, ben):
        await ann.intake.accept([update(1), update(2)])
        while not ledger.begun:
            await asyncio.sleep(0)
        await ann.bury()
        await ann.processor.drop()
        assert not ann.tasks
        await ann.join()
        ledger.gates.clear()
        await ben.intake.claim()
        await ann.intake.claim()
        await ann.intake.accept([update(3)])
        await ledger.until(3)
        assert ledger.handled == {7: [1, 2, 3]}


async def test_what_came_between_two_lives(server_url: str) -> None:
    """A process that knows that it was buried hands nothing on before it is one of the living again."""
    ledger = Ledger()
    async with replicas(server_url, 1, ledger) as (ann,):
        await ann.bury()
        ann.id = 0
        await ann.intake.accept([update(1)])
        assert ann.queue.empty()
        await ann.join()
        await ann.intake.claim()
        await ledger.until(1)


async def test_its_own_heir(server_url: str) -> None:
    """A process that was buried may claim what it had, once."""
    ledger = Ledger()
    ledger.gates = {1: asyncio.Event()}
    async with replicas(server_url, 1, ledger) as (ann,):
        await ann.intake.accept([update(1), update(2)])
        while not ledger.begun:
            await asyncio.sleep(0)
        await ann.bury()
        await ann.processor.drop()
        await ann.join()
        ledger.gates.clear()
        await ann.intake.claim()
        await ann.intake.claim()
        await ledger.until(2)
        assert ledger.handled == {7: [1, 2]}
        assert ledger.begun == [1, 1, 2]


async def test_a_clean_end_hands_over(server_url: str) -> None:
    """Who stops lets go of what it has not begun, and takes nothing at its last beats: nobody waits for its lease."""
    ledger = Ledger()
    ledger.gates = {1: asyncio.Event()}
    async with replicas(server_url, 2, ledger) as (ann, ben):
        await ann.intake.accept([update(1), update(2)])
        while not ledger.begun:
            await asyncio.sleep(0)
        await ann.processor.cut_short()
        await ann.intake.close()
        await ann.intake.claim()
        ledger.gates.clear()
        await ben.intake.claim()
        await ledger.until(2)
    assert ledger.handled == {7: [1, 2]}
