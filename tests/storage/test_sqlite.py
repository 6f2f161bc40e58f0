"""SQLite alone: one owner of the file, what is cancelled in the driver's thread, and waiting for locks."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

import pytest

from storage.database import Connection, DatabaseBusyError
from storage.migrations import SchemaError
from storage.opening import open_database
from storage.sqlite import Sqlite
from tests.databases import db, opened, raw
from tests.storage.test_database import INSERT, days, steps

__all__ = ["db"]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the write lock from outside."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@asynccontextmanager
async def stuck(db: Sqlite) -> AsyncIterator[None]:
    """Keep the driver's thread busy until the end of the context; whatever is asked of it waits behind."""
    go = threading.Event()
    blocker = asyncio.ensure_future(db._writer._execute(go.wait))  # type: ignore[no-untyped-call]  # aiosqlite's own
    await asyncio.sleep(0)
    try:
        yield
    finally:
        go.set()
        await blocker


async def test_a_fresh_file_is_migrated_and_opens_again(tmp_path: Path) -> None:
    """The first start makes the file; the second finds what the first wrote."""
    path = tmp_path / "fresh.db"
    async with opened(path) as db, db.begin() as conn:
        await raw(conn, INSERT, "2026-01-01")
    async with opened(path) as db:
        await db.ping()
        assert await days(db) == ["2026-01-01"]
        assert [tuple(row) for row in await db._writer.execute_fetchall("PRAGMA synchronous")] == [(2,)]


async def test_the_reader_cannot_write(db: Sqlite) -> None:
    """What is meant to read only is held to it by SQLite."""
    async with db.read() as conn:
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            await raw(conn, INSERT, "2026-01-01")


async def test_not_own_takes_no_missing_file(tmp_path: Path) -> None:
    """`darkroom check` before the first start says what to do and makes no file."""
    with pytest.raises(SchemaError):
        await open_database(f"sqlite:///{tmp_path / 'none.db'}", own=False)
    assert list(tmp_path.iterdir()) == []


async def test_a_second_owner_is_refused(path: Path) -> None:
    """One file serves one bot; looking on is allowed, and the lock ends with its owner."""
    async with opened(path), opened(path, own=False) as onlooker:
        await onlooker.ping()
        with pytest.raises(DatabaseBusyError, match=r"darkroom\.db"):
            await open_database(f"sqlite:///{path}")
    async with opened(path):
        pass


async def test_the_lock_dies_with_its_process(path: Path) -> None:
    """SIGKILL leaves no lock behind."""
    code = (
        "import asyncio, sys, time\n"
        "from storage.opening import open_database\n"
        "db = asyncio.run(open_database(sys.argv[1]))\n"
        "print('open', flush=True)\n"
        "time.sleep(60)\n"
    )
    process = await asyncio.to_thread(
        subprocess.Popen, [sys.executable, "-c", code, f"sqlite:///{path}"], stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert await asyncio.to_thread(process.stdout.readline) == "open\n"
        with pytest.raises(DatabaseBusyError):
            await open_database(f"sqlite:///{path}")
        process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(process.wait)
        async with opened(path) as db:
            await db.ping()


async def test_cancelled_while_beginning(db: Sqlite, path: Path) -> None:
    """A BEGIN that waits for another's lock can be given up; it holds nothing afterwards."""

    async def write(day: str) -> None:
        async with db.begin() as conn:
            await raw(conn, INSERT, day)

    with locked(path):
        task = asyncio.create_task(write("2026-01-01"))
        await steps()
        task.cancel()
        await steps()
    with pytest.raises(asyncio.CancelledError):
        await task
    await write("2026-01-02")
    assert await days(db) == ["2026-01-02"]


async def test_cancelled_in_a_statement(db: Sqlite) -> None:
    """A statement that was given up is undone with its transaction."""
    inside = asyncio.Event()

    async def write() -> None:
        async with db.begin() as conn:
            inside.set()
            await raw(conn, INSERT, "2026-01-01")

    task = asyncio.create_task(write())
    await inside.wait()
    async with stuck(db):
        task.cancel()
        await steps()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with db.begin() as conn:
        await raw(conn, INSERT, "2026-01-02")
    assert await days(db) == ["2026-01-02"]


async def test_cancelled_while_committing(db: Sqlite) -> None:
    """A COMMIT under way is finished before anything else, however often it is cancelled."""
    written, go = asyncio.Event(), asyncio.Event()

    async def write() -> None:
        async with db.begin() as conn:
            await raw(conn, INSERT, "2026-01-01")
            written.set()
            await go.wait()

    task = asyncio.create_task(write())
    await written.wait()
    async with stuck(db):
        go.set()
        await steps()
        for _ in range(3):
            task.cancel()
            await steps()
        assert not task.done()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await days(db) == ["2026-01-01"]


async def test_a_commit_that_fails_is_rolled_back(db: Sqlite) -> None:
    """A disk that is full at COMMIT leaves no transaction open."""
    await db._writer.execute_fetchall("PRAGMA foreign_keys=ON")
    await db._writer.executescript(
        "CREATE TABLE p (a PRIMARY KEY); CREATE TABLE c (a REFERENCES p DEFERRABLE INITIALLY DEFERRED);"
    )
    with pytest.raises(sqlite3.IntegrityError):  # the failure at COMMIT that can be had without filling a disk
        async with db.begin() as conn:
            await raw(conn, "INSERT INTO c VALUES (1)")
    assert not db._writer.in_transaction
    async with db.begin() as conn:
        await raw(conn, INSERT, "2026-01-02")
    assert await days(db) == ["2026-01-02"]


async def test_persist_waits_for_the_lock(db: Sqlite, path: Path) -> None:
    """What must be written down is tried again until another's lock is gone."""
    await db._writer.execute_fetchall("PRAGMA busy_timeout=0")

    async def write(conn: Connection) -> str:
        await raw(conn, INSERT, "2026-01-01")
        return "written"

    with locked(path):
        task = asyncio.create_task(db.persist(write))
        done, _ = await asyncio.wait([task], timeout=0.15)
        assert not done
    assert await task == "written"
    assert await days(db) == ["2026-01-01"]


async def test_persist_can_be_cancelled(db: Sqlite, path: Path) -> None:
    """Waiting for the lock is no reason not to stop."""
    await db._writer.execute_fetchall("PRAGMA busy_timeout=0")
    with locked(path), pytest.raises(TimeoutError):
        await asyncio.wait_for(db.persist(lambda conn: raw(conn, INSERT, "2026-01-01")), 0.05)
    assert await days(db) == []
