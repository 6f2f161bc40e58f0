"""Pacing that several processes keep together: pacers of their own, each with its own connections to one PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import sqlalchemy as sa
import structlog
from telegram.error import RetryAfter

from bot import windows
from bot.pacing import Pacer
from storage.postgres import Postgres
from storage.rates import Rates
from tests.turns import most, patient, turns, watch

__all__ = ["patient"]

ALICE, BOB, GROUP = 1, 2, -100
AGES = 1000  # seconds that no test lasts


class Process:
    """Sends through a pacer of its own, and notes what was sent."""

    def __init__(self, db: Postgres, rate: float) -> None:
        self.db = db
        self.rates = Rates(db)
        self.pacer = Pacer(rate, self.rates)
        self.made: list[tuple[int, object]] = []
        self.floods: list[int] = []

    async def call(self, endpoint: str, chat: int, note: object = None, **data: Any) -> Any:
        """Make a call; a dropped one returns True, a made one False."""

        async def callback() -> bool:
            if self.floods:
                raise RetryAfter(self.floods.pop())
            self.made.append((chat, note))
            return False

        return await self.pacer.process_request(callback, (), {}, endpoint, {"chat_id": chat, **data}, None)

    def send(self, endpoint: str, chat: int, note: object = None, **data: Any) -> asyncio.Task[Any]:
        """Begin a call."""
        return asyncio.create_task(self.call(endpoint, chat, note, **data))


Start = Callable[[float], Awaitable[Process]]


@pytest.fixture
async def start(server_url: str, patient: None) -> AsyncIterator[Start]:
    """Give what starts a process that sends at a rate; at the end nothing of it is left."""
    del patient
    started: list[Process] = []

    async def start(rate: float) -> Process:
        started.append(Process(await Postgres.open(sa.make_url(server_url)), rate))
        return started[-1]

    yield start
    for process in started:
        await process.pacer.shutdown()
        assert process.db.pool.closed or not process.rates._away
        await process.db.close()


@pytest.fixture
def windows_of(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Give what changes the windows of chats and groups."""

    def change(chat: tuple[int, float] = (3, AGES), group: tuple[int, float] = (20, AGES)) -> None:
        monkeypatch.setattr(windows, "CHAT_WINDOW", chat)
        monkeypatch.setattr(windows, "GROUP_WINDOW", group)

    return change


async def test_no_window_holds_more_over_all_processes(start: Start, windows_of: Callable[..., None]) -> None:
    """Three processes send to the same chats at once: rate, chat and group windows hold, and all of it goes out."""
    windows_of(chat=(3, 0.3), group=(4, 0.8))
    processes = [await start(20) for _ in range(3)]
    await watch(processes[0].db)
    calls = [
        process.send(endpoint, chat, media=[0, 0])
        for process in processes
        for endpoint in ("sendMessage", "sendPhoto", "editMessageText", "sendMediaGroup")
        for chat in (ALICE, BOB, GROUP)
    ]
    assert await asyncio.gather(*calls) == [False] * 36
    db = processes[0].db
    for name, size, seconds, count in (
        ("telegram", 20, 1.0, 36),
        (f"chat {ALICE}", 3, 0.3, 12),
        (f"chat {GROUP}", 3, 0.3, 12),
        (f"messages {GROUP}", 4, 0.8, 12),
        (f"edits {GROUP}", 4, 0.8, 3),
    ):
        assert len(await turns(db, name)) == count
        assert await most(db, name, seconds) <= size


async def test_one_process_hears_of_anothers_429(start: Start) -> None:
    """Telegram asks one process for patience with Alice: the other leaves her alone, too, and goes on with Bob."""
    first, second = await start(30), await start(30)
    first.floods = [AGES]
    flooded = first.send("sendPhoto", ALICE, "photo")
    await _held(first.db, f"chat {ALICE}")
    alice = second.send("sendMessage", ALICE)
    await _refused(second, ALICE)
    await asyncio.gather(*(second.call("sendMessage", BOB, n) for n in range(3)))
    assert second.made == [(BOB, 0), (BOB, 1), (BOB, 2)]
    assert not alice.done()
    assert not flooded.done()


async def _refused(process: Process, chat: int) -> None:
    """Wait until a process was told that others use up a chat."""
    await asyncio.sleep(0)
    while not process.pacer._chats[str(chat)].all._shut_until:
        await asyncio.sleep(0)


async def _freed(process: Process, chat: int) -> None:
    """Let a chat go that is held, and the process hear of it with the next call."""
    async with process.db.pool.connection() as raw:
        await raw.execute("UPDATE rates SET closed_until = 0")
    process.pacer._chats[str(chat)].all.shut(0.0, 0)


async def _held(db: Postgres, name: str) -> None:
    """Wait until all processes can know that a name is held."""
    async with db.pool.connection() as raw:
        while True:
            cursor = await raw.execute("SELECT FROM rates WHERE name = %s AND closed_until > 0", [name])
            if cursor.rowcount:
                return


async def test_a_full_chat_holds_up_nobody_else(start: Start, windows_of: Callable[..., None]) -> None:
    """Where other processes filled Alice's window for ages, Bob is served, and so is a later chat."""
    windows_of()
    first, second = await start(30), await start(30)
    await asyncio.gather(*(first.call("sendMessage", ALICE) for _ in range(3)))
    waiting = [second.send("sendPhoto", ALICE) for _ in range(4)]
    await asyncio.gather(*(second.call("sendMessage", chat) for chat in range(10, 30)))
    assert len(second.made) == 20
    assert not any(call.done() for call in waiting)


async def test_edits_of_all_processes_leave_a_result_its_turn(start: Start, windows_of: Callable[..., None]) -> None:
    """One process's edits wait for ages; another's result goes, and so does a result of the first."""
    windows_of(chat=(4, AGES))
    first, second = await start(30), await start(30)
    edits = [process.send("editMessageText", GROUP) for process in (first, second) for _ in range(5)]
    while len(first.made) + len(second.made) < 3:
        await asyncio.sleep(0.01)
    assert await second.call("sendPhoto", GROUP, "result") is False
    assert len(first.made) + len(second.made) == 4
    assert sum(edit.done() for edit in edits) == 3
    await asyncio.gather(first.send("editMessageText", BOB), first.send("sendDocument", BOB))


async def test_the_best_call_of_a_process_goes_first(start: Start, windows_of: Callable[..., None]) -> None:
    """What was refused keeps its priority and its number."""
    windows_of(chat=(9, AGES))
    process = await start(30)
    await process.rates.hold(f"chat {ALICE}", AGES)
    calls = [process.send("sendMessage", ALICE, n) for n in range(3)]
    await _refused(process, ALICE)
    await _freed(process, ALICE)
    calls.append(process.send("sendPhoto", ALICE, "photo"))
    calls.append(process.send("editMessageText", ALICE, "edit"))
    await asyncio.gather(*calls)
    assert [note for _, note in process.made] == ["photo", 0, 1, 2, "edit"]


@pytest.mark.parametrize("courtesy", ["sendChatAction", "setMessageReaction"])
async def test_courtesies_are_dropped_when_other_processes_are_busy(
    start: Start, windows_of: Callable[..., None], courtesy: str
) -> None:
    """One goes to a quiet chat and costs it nothing; where another process sent enough, it is left out."""
    windows_of()
    first, second = await start(30), await start(30)
    for _ in range(5):
        assert await second.call(courtesy, ALICE) is False
    await first.call("sendMessage", ALICE)
    assert await second.call(courtesy, ALICE) is False
    await first.call("sendMessage", ALICE)
    assert await second.call(courtesy, ALICE) is True
    assert await second.call("sendPhoto", ALICE) is False


async def test_a_call_given_up_while_it_asks_stops_nobody(start: Start) -> None:
    """Those behind it go, and it is never made."""
    process = await start(30)
    calls = [process.send("sendMessage", ALICE, n) for n in range(3)]
    while process.pacer._asking is None:
        await asyncio.sleep(0)
    calls[0].cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    assert [note for _, note in process.made] == [1, 2]


async def test_the_end_cancels_what_asks(start: Start) -> None:
    """Shutting down in the middle of a question leaves no call hanging."""
    process = await start(30)
    calls = [process.send("sendMessage", ALICE) for _ in range(3)]
    while process.pacer._asking is None:
        await asyncio.sleep(0)
    await process.pacer.shutdown()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)


async def test_without_a_database_each_process_keeps_its_own_windows(
    start: Start, windows_of: Callable[..., None]
) -> None:
    """A result goes out all the same, its chat's window is not overrun, and the log says it once."""
    windows_of()
    process = await start(30)
    await process.db.close()
    with structlog.testing.capture_logs() as said:
        await asyncio.gather(*(process.call("sendPhoto", chat) for chat in (ALICE, ALICE, ALICE, BOB)))
        process.floods = [AGES]
        flooded = process.send("sendPhoto", BOB)
        waiting = process.send("sendPhoto", ALICE)
        while process.floods:
            await asyncio.sleep(0)
    assert len(process.made) == 4
    assert not waiting.done()
    assert not flooded.done()
    assert [one["log_level"] for one in said if "shared" in one["event"]] == ["warning"]
