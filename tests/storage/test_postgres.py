"""PostgreSQL alone: a server that restarts or crashes, deadlocks, cancelled statements, a pool that is used up."""

import asyncio
import os
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from storage import postgres as module
from storage.connection import Connection
from storage.database import Database, DatabaseError
from storage.opening import open_database
from tests.databases import raw, reached
from tests.postgres import Server
from tests.storage.test_database import INSERT, days, steps, writing


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Give a server that may be stopped and killed, and keeps what it committed."""
    server = Server(Path(tempfile.mkdtemp(prefix="darkroom-postgres-")), durable=True)
    try:
        server.make()
        server.create("bot")
        yield server
    finally:
        server.end()


@pytest.fixture
async def db(server: Server) -> AsyncIterator[Database]:
    """Give the server's database, empty."""
    async with reached(server.url("bot")) as db:
        async with db.begin() as conn:
            await raw(conn, "DELETE FROM spending")
        yield db


async def test_restarted_in_the_middle_of_a_transaction(db: Database, server: Server) -> None:
    """Work that a restart of the server undid is done again, once, whichever way it was asked for."""
    for name, run in (("t", db.transact), ("p", db.persist)):
        tries: list[str] = []

        async def work(conn: Connection, name: str = name, tries: list[str] = tries) -> str:
            tries.append(name)
            await raw(conn, INSERT, f"{name}1")
            if len(tries) == 1:
                await asyncio.to_thread(server.restart)
            await raw(conn, INSERT, f"{name}2")
            return name

        assert await run(work) == name
        assert len(tries) == 2
    assert await days(db) == ["p1", "p2", "t1", "t2"]


async def test_restarted_in_the_middle_of_reading(db: Database, server: Server) -> None:
    """Who only reads does not notice, unless he holds the connection himself; then the next one works."""
    await db.transact(writing("a"))
    tries: list[int] = []

    async def work(conn: Connection) -> list[tuple[object, ...]]:
        tries.append(1)
        if len(tries) == 1:
            await asyncio.to_thread(server.restart)
        return await raw(conn, "SELECT day FROM spending")

    assert await db.look(work) == [("a",)]
    for block in (db.read, db.begin):
        with pytest.raises(db.Error):  # noqa: PT012  the statement after the restart is what raises
            async with block() as conn:
                await asyncio.to_thread(server.restart)
                await raw(conn, "SELECT 1")
        assert await days(db) == ["a"]


async def test_a_crash_loses_nothing_that_was_written(db: Database, server: Server) -> None:
    """What transact gave back stands when the server crashes; what must be written waits until it is there again."""
    await db.transact(writing("before"))
    await asyncio.to_thread(server.kill)
    waiting = asyncio.create_task(db.persist(writing("meanwhile")))
    with pytest.raises(db.Error):
        await ask_at_once(db)
    assert not waiting.done()
    await asyncio.to_thread(server.start)
    assert await waiting == "meanwhile"
    await db.ping()
    assert await days(db) == ["before", "meanwhile"]


async def ask_at_once(db: Database) -> None:
    """Ask without waiting for the pool, or for better times."""
    assert isinstance(db, module.Postgres)
    async with db.pool.connection(timeout=0.05) as connection:
        await connection.execute("SELECT 1")


async def test_a_deadlock_is_undone_and_repeated(db: Database) -> None:
    """Two that wait for each other: one is undone and done again, and both stand."""
    for day in "ab":
        await db.transact(writing(day))
    has = {"a": asyncio.Event(), "b": asyncio.Event()}
    tries: list[str] = []

    async def work(conn: Connection, first: str, second: str) -> None:
        tries.append(first)
        await raw(conn, "SET LOCAL deadlock_timeout = '10ms'")
        await raw(conn, "UPDATE spending SET credits = credits + 1 WHERE day = ?", first)
        has[first].set()
        await has[second].wait()
        await raw(conn, "UPDATE spending SET credits = credits + 1 WHERE day = ?", second)

    await asyncio.gather(db.transact(lambda conn: work(conn, "a", "b")), db.transact(lambda conn: work(conn, "b", "a")))
    assert len(tries) > 2
    async with db.read() as conn:
        assert await raw(conn, "SELECT day, credits FROM spending ORDER BY day") == [("a", 3), ("b", 3)]


async def test_cancelled_in_a_statement(db: Database) -> None:
    """A statement that was given up ends on the server, too, and its transaction is undone."""
    inside = asyncio.Event()

    async def write() -> None:
        async with db.begin() as conn:
            await raw(conn, INSERT, "a")
            inside.set()
            await raw(conn, "SELECT pg_sleep(60)")

    task = asyncio.create_task(write())
    await inside.wait()
    running = "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep%'"
    running += " AND pid != pg_backend_pid()"
    async with asyncio.timeout(60), db.read() as conn:
        while not await raw(conn, running):
            pass  # a server that is told to stop before it has begun stops nothing
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        while await raw(conn, running):
            pass  # the server is told, and takes its moment
    await db.transact(writing("b"))
    assert await days(db) == ["b"]


async def test_cancelled_on_the_way(db: Database) -> None:
    """A transaction that has begun is finished before the cancellation is heard, however often it is cancelled."""
    written, go = asyncio.Event(), asyncio.Event()

    async def work(conn: Connection) -> None:
        await raw(conn, INSERT, "a")
        written.set()
        await go.wait()

    task = asyncio.create_task(db.transact(work))
    await written.wait()
    for _ in range(3):
        task.cancel()
        await steps()
    assert not task.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await days(db) == ["a"]


async def test_a_pool_that_is_used_up(server_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever finds no connection free waits for one, and is told when none comes back; nothing is left taken."""
    monkeypatch.setattr(module, "POOL", 2)
    monkeypatch.setattr(module, "AGAIN_SECONDS", 0.1)
    async with reached(server_url) as db:
        assert isinstance(db, module.Postgres)
        async with db.begin() as conn, db.read():
            await raw(conn, INSERT, "a")
            assert db.pool.timeout == module.POOL_SECONDS
            db.pool.timeout = 0.1
            with pytest.raises(db.Error):
                await db.ping()
            with pytest.raises(db.Error):
                await db.transact(writing("b"))
            waiting = asyncio.create_task(db.persist(writing("c")))
            await steps()
            assert not waiting.done()
            db.pool.timeout = 60
        await waiting
        await asyncio.gather(*(db.transact(writing(f"d{number}")) for number in range(20)))
        assert len(await days(db)) == 22


async def backend(conn: Connection) -> int:
    """Give the server's process that serves a connection."""
    return int((await conn.all(sa.text("SELECT pg_backend_pid() AS pid")))[0]["pid"])


async def test_given_up_while_the_pool_looks_for_broken_connections(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits no longer for the database does not take connections away with it that are tried just then."""
    monkeypatch.setattr(module, "POOL", 2)
    async with reached(server.url("bot")) as db, reached(server.url("bot")) as other:
        async with db.read() as one, db.read() as two:
            # The second is back first, and asked first.
            silent, broken = await backend(one), await backend(two)
        async with other.read() as conn:
            await raw(conn, f"SELECT pg_terminate_backend({broken})")
        os.kill(silent, signal.SIGSTOP)
        try:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await db.look(backend)
        finally:
            os.kill(silent, signal.SIGCONT)
        async with asyncio.timeout(60), db.read() as one, db.read() as two:
            assert await backend(one) != await backend(two)


async def test_away_for_long(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a server was away, connections to it are not tried at ever longer intervals."""
    monkeypatch.setattr(module, "POOL_SECONDS", 0.2)
    async with reached(server.url("bot")) as db:
        assert isinstance(db, module.Postgres)
        await asyncio.to_thread(server.kill)
        with pytest.raises(db.Error):
            await ask_at_once(db)
        async with asyncio.timeout(60):
            while db.pool.get_stats()["pool_size"]:
                await asyncio.sleep(0.01)
        await asyncio.to_thread(server.start)
        assert await db.persist(lambda conn: raw(conn, "SELECT 1")) == [(1,)]


async def test_no_server_no_secret(server_url: str) -> None:
    """A server that is away, or has no such database, is named in one sentence without the password."""
    for url in ("postgresql://bot:s3cret@127.0.0.1:1/bot", server_url.rpartition("/")[0] + "/none"):
        with pytest.raises(DatabaseError, match=r"PostgreSQL at 127\.0\.0\.1") as caught:
            await open_database(url)
        assert "s3cret" not in str(caught.value)


async def test_a_server_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A start, and whoever only looks, gives up a server that takes the connection and never answers."""
    monkeypatch.setitem(module.ALIVE, "connect_timeout", "2")  # the least that libpq takes
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with asyncio.timeout(60):
            with pytest.raises(DatabaseError, match="timeout"):
                await open_database(f"postgresql://u@127.0.0.1:{silent.getsockname()[1]}/bot", own=False)


async def test_names_are_locked_until_the_end(db: Database) -> None:
    """Who asks for a name that another holds waits for the other's end; asked for twice, it is there already."""
    order: list[str] = []

    async def second() -> None:
        async with db.begin() as conn:
            assert await conn.lock("b", "a")
            order.append("second")

    async with db.begin() as conn:
        assert await conn.lock("a")
        assert not await conn.lock("a")
        assert await conn.lock("a", "c")
        task = asyncio.create_task(second())
        waiting = "SELECT count(*) FROM pg_locks, pg_sleep(0.01) WHERE locktype = 'advisory' AND NOT granted"
        while await raw(conn, waiting) != [(1,)]:
            assert not task.done()
        order.append("first")
    await task
    assert order == ["first", "second"]


async def test_frozen_in_a_transaction(server_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that falls silent in the middle of a transaction loses its locks; awake again it does it anew."""
    monkeypatch.setattr(module, "SILENCE", "200ms")
    tries: list[int] = []
    async with reached(server_url) as frozen, reached(server_url) as other:

        async def work(conn: Connection) -> None:
            await conn.lock("chat 7")
            tries.append(1)
            if len(tries) == 1:
                await other.transact(lambda theirs: theirs.lock("chat 7"))
            await raw(conn, INSERT, "thawed")

        async with asyncio.timeout(60):
            await frozen.transact(work)
        assert len(tries) > 1
        assert await days(other) == ["thawed"]
