"""What processes that share a PostgreSQL server say to each other: who polls, and which callbacks came."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest
from pydantic import SecretStr

from bot import leader
from bot.callbacks import SharedCallbacks
from bot.common import background
from bot.leader import lead
from imaging.callbacks import token_of
from storage import calls
from storage.opening import open_database
from storage.postgres import Postgres

KEY = SecretStr("key")
SOON = 60.0
"""Seconds after which something does not happen any more."""


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Postgres]:
    """Be a process of one's own on the database."""
    db = await open_database(url, own=False)
    assert isinstance(db, Postgres)
    try:
        yield db
    finally:
        await db.close()


@pytest.fixture
async def db(server_url: str) -> AsyncIterator[Postgres]:
    async with opened(server_url) as one:
        yield one


async def run_sql(url: str, sql: str) -> list[tuple[object, ...]]:
    """Run SQL that only a test needs, over a connection of its own."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as raw:
        return await (await raw.execute(sql.encode())).fetchall()


# Ends a session as a restart of the server does: the one that listens, and the one that holds the lock.
CUT_LISTENER = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
CUT_LEADER = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"


async def rows(url: str) -> int:
    """Count the calls that are awaited."""
    return len(await run_sql(url, "SELECT 1 FROM calls"))


async def test_a_call_comes_to_another_process(db: Postgres, server_url: str) -> None:
    """Whoever gets it, who waits hears of it at once, with the task it named; a guess and a second call are nothing."""
    async with opened(server_url) as other:
        here, there = SharedCallbacks(db, "https://a/callback", KEY), SharedCallbacks(other, "https://a/callback", KEY)
        async with background(here.run()):
            call = await here.expect("1")
            token = token_of(call)
            assert call.url == f"https://a/callback/{token}"
            assert token not in str(await run_sql(server_url, "SELECT * FROM calls"))
            assert not await there.take("guessed", b"")
            assert await there.take(token, b'{"task_id": "t-1"}')
            assert await call.wait(SOON)
            assert call.task_id == "t-1"
            assert not await there.take(token, b'{"task_id": "t-2"}')


async def test_a_call_for_a_process_that_died(db: Postgres, server_url: str) -> None:
    """Whoever takes the job up awaits the same call, be it still to come or here already; it is good once in all."""
    async with opened(server_url) as other:
        dead, heir = SharedCallbacks(db, "https://a/callback", KEY), SharedCallbacks(other, "https://a/callback", KEY)
        async with background(heir.run()):
            early, late = await dead.expect("1"), await dead.expect("2")
            assert await dead.take(token_of(early), b'{"task_id": "t-1"}')
            first, second = await heir.expect("1"), await heir.expect("2")
            assert (first.url, first.came, first.task_id) == (early.url, True, "t-1")
            assert not await dead.take(token_of(early), b"")
            assert await dead.take(token_of(late), b'{"task_id": "t-2"}')
            assert await second.wait(SOON)
            assert second.task_id == "t-2"


@pytest.mark.parametrize("named", ["", "x" * 129, "a\\u0000b", "a\\nb"])
async def test_a_call_that_names_no_task(db: Postgres, named: str) -> None:
    """What is no task's id is a call all the same."""
    callbacks = SharedCallbacks(db, "https://a/callback", KEY)
    async with background(callbacks.run()):
        call = await callbacks.expect("1")
        assert await callbacks.take(token_of(call), f'{{"task_id": "{named}"}}'.encode())
        assert await call.wait(SOON)
        assert call.task_id is None


async def test_a_call_that_came_while_nobody_listened(
    db: Postgres, server_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came before listening began, or while the connection was lost, is looked up."""
    monkeypatch.setattr("bot.callbacks.AGAIN_SECONDS", 0.2)
    callbacks = SharedCallbacks(db, "https://a/callback", KEY)
    early, late, never = [await callbacks.expect(name) for name in "123"]
    assert await callbacks.take(token_of(early), b'{"task_id": "t-1"}')
    async with background(callbacks.run()):
        assert await early.wait(SOON)
        assert await run_sql(server_url, CUT_LISTENER)
        assert await callbacks.take(token_of(late), b"")
        assert await late.wait(SOON)
    assert (early.task_id, late.task_id, never.came) == ("t-1", None, False)


async def test_what_is_awaited_no_longer_goes(db: Postgres, server_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that is forgotten leaves the table soon, and one that is old when it is pruned."""
    monkeypatch.setattr("bot.callbacks.TIDY_SECONDS", 0.05)
    callbacks = SharedCallbacks(db, "https://a/callback", KEY)
    async with background(callbacks.run()):
        call, left = await callbacks.expect("1"), await callbacks.expect("2")
        callbacks.forget(call)
        async with asyncio.timeout(SOON):
            while await rows(server_url) > 1:
                await asyncio.sleep(0.02)
        assert not await callbacks.take(token_of(call), b"")
        assert not call.came
    await db.transact(lambda conn: calls.prune(conn, time.time()))
    assert not await callbacks.take(token_of(left), b"")


class Poller:
    """Someone who polls: notes when it begins and ends."""

    def __init__(self) -> None:
        self.began, self.ended = asyncio.Event(), asyncio.Event()

    async def poll(self) -> None:
        """Poll until cancelled."""
        self.began.set()
        self.ended.clear()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.set()
            self.began.clear()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leader, "TRY_SECONDS", 0.05)
    monkeypatch.setattr(leader, "LOST_SECONDS", SOON)  # a slow machine is no server that is away


@pytest.mark.usefixtures("quick")
async def test_one_leads(db: Postgres, server_url: str) -> None:
    """Of two one leads; when its connection is lost it stops at once, and either may go on, but never both."""
    one, two = Poller(), Poller()
    async with asyncio.timeout(SOON), background(lead(db, one.poll)):
        await one.began.wait()
        async with background(lead(db, two.poll)):
            assert await run_sql(server_url, CUT_LEADER)
            await one.ended.wait()
            while not (one.began.is_set() or two.began.is_set()):
                await asyncio.sleep(0.02)
            assert one.began.is_set() != two.began.is_set()
        assert two.ended.is_set() or not two.began.is_set()


@pytest.mark.usefixtures("quick")
async def test_who_is_silent_leads_no_more(db: Postgres) -> None:
    """The server takes the lock from a process that froze, or whose machine is gone."""
    poller = Poller()
    async with asyncio.timeout(SOON), leader._leading(db) as raw, background(lead(db, poller.poll)):
        assert await (await raw.execute("SHOW idle_session_timeout")).fetchone() == (leader.SILENCE,)
        await raw.execute("SET idle_session_timeout = 1")  # as if it were over
        await poller.began.wait()
        with pytest.raises(psycopg.Error):
            await raw.execute("SELECT true")


@pytest.mark.usefixtures("quick")
async def test_a_server_that_does_not_answer(db: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the question is not answered in time polling stops, and begins again when it is."""
    monkeypatch.setattr(leader, "LOST_SECONDS", 0.0)
    poller = Poller()
    async with asyncio.timeout(SOON), background(lead(db, poller.poll)):
        for _ in range(2):
            await poller.began.wait()
            await poller.ended.wait()


async def test_what_fails_for_another_reason_is_heard(db: Postgres) -> None:
    """An error of the work itself ends it all."""

    async def fail() -> None:
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011  it is ours
        await lead(db, fail)
