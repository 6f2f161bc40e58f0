"""Intake: what Telegram sent is written down first, handled once and in order, and asked for through every trouble."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import structlog
from aiohttp import web
from prometheus_client import generate_latest
from structlog.typing import EventDict
from telegram import Update
from telegram.ext import ExtBot

from bot import intake as intake_module
from bot.intake import Intake, Processor, poll
from bot.metrics import Metrics
from jobs.membership import ALONE
from storage.database import Database
from storage.sqlite import Sqlite
from tests.botapi import TOKEN, BotApi, answer, bot_api, bot_at, client, error
from tests.databases import db, opened, path, raw, template

__all__ = ["db", "path", "template"]
SECRET = TOKEN.partition(":")[2]
SOON = 60.0
"""Seconds after which something does not happen any more, on however slow a machine."""


def update(update_id: int, chat: int = 7) -> dict[str, Any]:
    message = {"message_id": update_id, "date": 0, "chat": {"id": chat, "type": "private"}, "text": f"t{update_id}"}
    return {"update_id": update_id, "message": message}


class Door:
    """An intake with what it fills, and who takes it from there."""

    def __init__(self, db: Database, bot: ExtBot[None], size: int = 0) -> None:
        self.db = db
        self.taken: dict[int, Update] = {}
        self.queue: asyncio.Queue[object] = asyncio.Queue(size)
        self.metrics = Metrics()
        self.intake = Intake(db, bot, self.queue, self.metrics, ALONE)

    def queued(self) -> list[int]:
        """Take the ids of what waits."""
        found = []
        while not self.queue.empty():
            one = self.queue.get_nowait()
            assert isinstance(one, Update)
            found.append(one.update_id)
            self.taken[one.update_id] = one
        return found

    def handled(self, *update_ids: int) -> None:
        """Say that these were handled, once they were taken from the queue."""
        self.queued()
        for update_id in update_ids:
            self.intake.handled(self.taken[update_id])

    async def rows(self) -> list[tuple[object, ...]]:
        """Give (id, whether handled) of everything written down."""
        async with self.db.read() as conn:
            return await raw(conn, "SELECT update_id, done_at NOT NULL FROM inbox ORDER BY 1")


@pytest.fixture
async def api() -> AsyncIterator[BotApi]:
    async with bot_api() as made:
        yield made


@pytest.fixture
async def bot(api: BotApi) -> AsyncIterator[ExtBot[None]]:
    async with bot_at(api.url) as made:
        yield made


@pytest.fixture
async def door(db: Database, bot: ExtBot[None]) -> AsyncIterator[Door]:
    made = Door(db, bot)
    yield made
    await made.intake.close()


@pytest.fixture(autouse=True)
def logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[EventDict]]:
    monkeypatch.setattr(intake_module, "RETRY_SECONDS", 0.001)
    monkeypatch.setattr(intake_module, "DONE_SECONDS", 0.001)
    with structlog.testing.capture_logs() as events:
        yield events


async def test_written_down_before_anything_else(db: Database, bot: ExtBot[None]) -> None:
    """`accept` writes first: a full queue holds up the confirmation, not the inbox."""
    door = Door(db, bot, size=1)
    task = asyncio.create_task(door.intake.accept([update(1), update(2)]))
    async with asyncio.timeout(SOON):
        while not door.queue.full():
            await asyncio.sleep(0)
    assert await door.rows() == [(1, 0), (2, 0)]
    assert not task.done()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_repeat_is_counted_and_not_handled_again(door: Door) -> None:
    """Telegram sends again what it thinks was lost; it is handled once."""
    await door.intake.accept([update(1), update(2)])
    await door.intake.accept([update(2), update(3)])
    assert door.queued() == [1, 2, 3]
    shown = generate_latest(door.metrics.registry).decode()
    assert "darkroom_updates_repeated_total 1.0" in shown
    assert 'darkroom_updates_total{kind="message"} 3.0' in shown


async def test_replay_after_a_restart(door: Door, bot: ExtBot[None], logs: list[EventDict]) -> None:
    """The next process finds what was not handled, in order, and nothing else."""
    await door.intake.accept([update(3), update(1), update(2)])
    door.handled(1)
    await door.intake.close()
    later = Door(door.db, bot)
    await later.intake.claim()
    assert later.queued() == [2, 3]
    assert [event["count"] for event in logs] == [2]
    later.handled(2, 3)
    await later.intake.close()
    last = Door(door.db, bot)
    await last.intake.claim()
    assert last.queued() == []


async def test_replay_after_the_webhook_opened(door: Door) -> None:
    """What Telegram sends while the bot still starts is handled once, although it stands in the inbox already."""
    await door.intake.accept([update(1)])
    await door.intake.claim()
    assert door.queued() == [1]


async def test_handled_updates_are_marked_together(door: Door) -> None:
    """Marks made in one moment, and while others are written, all reach the inbox."""
    await door.intake.accept([update(number) for number in range(1, 31)])
    for number in range(1, 31):
        door.handled(number)
        if number % 10 == 0:
            await asyncio.sleep(0.003)
    await door.intake.close()
    assert await door.rows() == [(number, 1) for number in range(1, 31)]


LATE = {"message_id": 1, "date": 10**20, "chat": {"id": 7, "type": "private"}}


@pytest.mark.parametrize(
    "broken", [{"message": 5}, {"message": {"chat": {}}}, {"callback_query": []}, {"message": LATE}], ids=str
)
async def test_an_update_nobody_can_read(door: Door, logs: list[EventDict], broken: dict[str, Any]) -> None:
    """It is logged, marked and never in the way of the next."""
    await door.intake.accept([{"update_id": 1, **broken}, update(2)])
    await door.intake.close()
    assert door.queued() == [2]
    assert await door.rows() == [(1, 1), (2, 0)]
    assert [event["update_id"] for event in logs] == [1]


class Handlers:
    """Handles updates through the processor as the application does, until told to end."""

    def __init__(self, door: Door) -> None:
        self.processor = Processor(door.intake)
        self.begun: list[int] = []
        self.ended: list[int] = []
        self.gates: dict[int, asyncio.Event] = {}

    async def handle(self, one: Update) -> None:
        """Wait for this update's gate, if it has one."""
        self.begun.append(one.update_id)
        if gate := self.gates.get(one.update_id):
            await gate.wait()
        self.ended.append(one.update_id)

    def start(self, door: Door) -> list[asyncio.Task[None]]:
        """Begin all that is queued."""
        tasks = []
        while not door.queue.empty():
            one = door.queue.get_nowait()
            assert isinstance(one, Update)
            tasks.append(asyncio.create_task(self.processor.process_update(one, self.handle(one))))
        return tasks


async def test_in_order_within_a_chat_and_at_once_between_chats(door: Door) -> None:
    """A slow update holds up its own chat, and no other."""
    handlers = Handlers(door)
    await handlers.processor.initialize()
    handlers.gates = {1: asyncio.Event()}
    await door.intake.accept([update(1, chat=7), update(2, chat=7), update(3, chat=8), update(4, chat=8)])
    tasks = handlers.start(door)
    await asyncio.wait(tasks[2:])
    assert (handlers.begun, handlers.ended) == ([1, 3, 4], [3, 4])
    handlers.gates[1].set()
    await asyncio.wait(tasks)
    assert handlers.ended == [3, 4, 1, 2]
    assert len(handlers.processor._turns) <= 1
    await handlers.processor.shutdown()
    assert await door.rows() == [(number, 1) for number in (1, 2, 3, 4)]


async def test_an_update_cut_short_stays(door: Door) -> None:
    """Handlers that are cancelled leave their update to the next start, and their chat's turn to the next update."""
    handlers = Handlers(door)
    handlers.gates = {1: asyncio.Event()}
    await door.intake.accept([update(1), update(2)])
    first, second = handlers.start(door)
    while not handlers.begun:
        await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first, second])
    await handlers.processor.shutdown()
    assert await door.rows() == [(1, 0), (2, 1)]


async def test_an_update_that_was_dropped_in_the_queue(door: Door) -> None:
    """What another process has by now, because this one was taken for dead, is not handled here as well."""
    handlers = Handlers(door)
    await door.intake.accept([update(1)])
    await handlers.processor.drop()
    await asyncio.wait(handlers.start(door))
    assert handlers.begun == []
    assert await door.rows() == [(1, 0)]


async def test_at_the_end_updates_are_only_written_down(door: Door) -> None:
    """What still comes when nobody handles it any more is for the next start."""
    await door.intake.close()
    await door.intake.accept([update(1)])
    assert door.queued() == []
    assert await door.rows() == [(1, 0)]


async def test_something_else_in_the_queue(door: Door) -> None:
    """What is no update is handled, and there is nothing to mark."""
    done = asyncio.Event()

    async def handle() -> None:
        done.set()

    await Processor(door.intake).process_update("not an update", handle())
    assert done.is_set()
    assert await door.rows() == []


@asynccontextmanager
async def polling(door: Door, bot: ExtBot[None]) -> AsyncIterator[asyncio.Task[None]]:
    async with client() as http:
        task = asyncio.create_task(poll(bot, http, door.intake))
        try:
            yield task
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def offsets(api: BotApi) -> list[int]:
    return [call.fields["offset"] for call in api.named("getUpdates")]


def quiet(reached: asyncio.Event) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Answer like a Telegram without news: after a while."""

    async def give(_: web.Request) -> web.Response:
        reached.set()
        await asyncio.sleep(30)
        return answer([])

    return give


async def test_confirmed_only_when_written_down(door: Door, bot: ExtBot[None], api: BotApi) -> None:
    """The offset moves past an update only after it stands in the inbox."""
    reached = asyncio.Event()
    seen: list[list[tuple[object, ...]]] = []

    async def look(_: web.Request) -> web.Response:
        seen.append(await door.rows())
        return answer([])

    api.answers = [answer([update(11), update(12)]), look, quiet(reached)]
    async with asyncio.timeout(SOON), polling(door, bot):
        await reached.wait()
    assert offsets(api) == [0, 13, 13]
    assert seen == [[(11, 0), (12, 0)]]
    assert api.calls[0].fields["allowed_updates"] == list(intake_module.ALLOWED_UPDATES)


async def test_not_confirmed_while_the_database_is_locked(
    door: Door, bot: ExtBot[None], api: BotApi, path: Path
) -> None:
    """While nothing can be written nothing is confirmed; then it goes on by itself."""
    reached = asyncio.Event()
    api.answers = [answer([update(11)]), quiet(reached)]
    assert isinstance(door.db, Sqlite)
    await door.db._writer.execute_fetchall("PRAGMA busy_timeout=0")
    async with asyncio.timeout(SOON), opened(path, own=False) as other:
        async with other.begin(), polling(door, bot):
            while not api.calls:
                await asyncio.sleep(0)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reached.wait(), 0.1)
            assert offsets(api) == [0]
        api.answers = [answer([update(11)]), quiet(reached)]
        async with polling(door, bot):
            await reached.wait()
    assert offsets(api) == [0, 0, 12]


async def gibberish(request: web.Request) -> web.Response:
    """Answer in no HTTP."""
    assert isinstance(request.transport, asyncio.Transport)
    request.transport.write(b"nothing that a server says\r\n\r\n")
    request.transport.close()
    return web.Response()


TROUBLES: list[Callable[[], Any]] = [
    lambda: None,
    lambda: gibberish,
    lambda: web.Response(text="[" * 100_000, content_type="application/json"),
    lambda: web.Response(text="<html>captive portal</html>"),
    lambda: web.Response(text="[]", content_type="application/json"),
    lambda: web.Response(text='"ok"', content_type="application/json"),
    lambda: web.json_response({"ok": True}),
    lambda: web.json_response({"ok": True, "result": "abc"}),
    lambda: web.json_response({"ok": True, "result": [1]}),
    lambda: web.json_response({"ok": True, "result": [{"update_id": "1"}]}),
    lambda: web.json_response({"ok": True, "result": [{"update_id": 2**64}]}),
    lambda: web.json_response({"ok": False, "parameters": None}),
    lambda: web.json_response({"ok": False, "parameters": {"retry_after": "soon"}}),
    lambda: web.Response(body=b"\xff\xfe", content_type="application/json"),
    lambda: error(500, "Internal Server Error"),
    lambda: error(409, "Conflict: terminated by other getUpdates request"),
    lambda: error(429, "Too Many Requests", retry_after=0.01),
    lambda: error(401, "Unauthorized"),
]


async def test_through_every_trouble(
    door: Door, bot: ExtBot[None], api: BotApi, logs: list[EventDict], caplog: pytest.LogCaptureFixture
) -> None:
    """Resets, garbage and refusals are waited out, each with a line in the log, none with the token."""
    reached = asyncio.Event()
    api.answers = [*(trouble() for trouble in TROUBLES), answer([update(11)]), quiet(reached)]
    with caplog.at_level(logging.INFO):
        async with asyncio.timeout(SOON), polling(door, bot):
            await reached.wait()
    assert offsets(api) == [0] * (len(TROUBLES) + 1) + [12]
    assert door.queued() == [11]
    assert len(logs) == len(TROUBLES)
    assert SECRET not in repr(logs)


async def test_nobody_there(door: Door, bot: ExtBot[None], api: BotApi, logs: list[EventDict]) -> None:
    """A Telegram that refuses connections is asked again."""
    bot._base_url = f"http://127.0.0.1:1/bot{TOKEN}"
    async with asyncio.timeout(SOON), polling(door, bot):
        while len(logs) < 3:
            await asyncio.sleep(0.001)
    assert all(event["cause"].startswith("Connect") for event in logs)
    assert not api.calls
    assert SECRET not in repr(logs)
