"""The event loop runs SQLite's statements and waits for nobody: neither for a lock nor for the disk."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from storage.connection import Connection
from tests.databases import opened, path, raw, template

__all__ = ["path", "template"]

INSERT = "INSERT INTO spending (day, credits) VALUES (?, 1)"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the write lock from outside."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


async def write(conn: Connection) -> None:
    await raw(conn, INSERT, "a")


async def count(conn: Connection) -> int:
    rows = await raw(conn, "SELECT count(*) FROM spending")
    return int(str(rows[0][0]))


async def test_the_loop_goes_on_while_another_program_has_the_lock(path: Path) -> None:
    """Whoever writes waits for the lock in the driver's thread; whoever looks meanwhile is answered at once."""
    async with opened(path) as db:
        with locked(path):
            task = asyncio.create_task(db.transact(write))
            for _ in range(10):
                assert await db.look(count) == 0
                await asyncio.sleep(0)
            assert not task.done()
        await task
        assert await db.look(count) == 1


async def test_who_looks_cannot_write(path: Path) -> None:
    """The connection to look with is for reading only."""
    async with opened(path) as db:
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            await db.look(write)
        assert await db.look(count) == 0


async def test_a_commit_that_fails_is_undone(path: Path) -> None:
    """What the disk did not take is told to its writer, and the next transaction is not in its way."""
    async with opened(path) as db:
        await db._writer.execute_fetchall("PRAGMA foreign_keys=ON")
        await db._writer.executescript(
            "CREATE TABLE parent (id INTEGER PRIMARY KEY);"
            "CREATE TABLE child (parent REFERENCES parent DEFERRABLE INITIALLY DEFERRED);"
        )

        async def orphan(conn: Connection) -> None:
            await raw(conn, "INSERT INTO child VALUES (1)")

        with pytest.raises(sqlite3.IntegrityError):
            await db.transact(orphan)
        await db.transact(write)
        assert await db.look(count) == 1
