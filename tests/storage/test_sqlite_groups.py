"""SQLite alone: transactions in groups, one fsync for many, each all or nothing by itself."""

import asyncio
import sqlite3

import pytest

from storage.database import Connection
from storage.sqlite import Sqlite
from tests.databases import db, raw
from tests.storage.test_database import INSERT, days, steps, writing
from tests.storage.test_sqlite import stuck

__all__ = ["db"]


async def test_what_waits_shares_a_commit(db: Sqlite) -> None:
    """Transactions that come while another is written stand on the disk with one COMMIT; each hears its own result."""
    seen: list[str] = []
    await db._writer.set_trace_callback(seen.append)
    async with stuck(db):
        tasks = [asyncio.create_task(db.transact(writing("a")))]
        await steps()
        tasks += [asyncio.create_task(db.transact(writing(day))) for day in "bcdef"]
        await steps()
    assert await asyncio.gather(*tasks) == list("abcdef")
    assert seen.count("COMMIT") == 2
    assert await days(db) == list("abcdef")


async def test_one_that_fails_undoes_nothing_of_the_others(db: Sqlite) -> None:
    """In a group, too, a transaction is all or nothing by itself."""
    works = [writing("a"), writing("b", ZeroDivisionError()), writing("c"), writing("a"), writing("d")]
    outcomes = await asyncio.gather(*map(db.transact, works), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [str, ZeroDivisionError, str, sqlite3.IntegrityError, str]
    assert await days(db) == ["a", "c", "d"]


async def test_a_full_disk_undoes_the_group_and_says_so_to_all(db: Sqlite) -> None:
    """SQLite itself rolls back when the disk is full: nobody is told that his work was written."""
    await db.transact(writing("before"))
    ((pages,),) = await db._writer.execute_fetchall("PRAGMA page_count")
    await db._writer.execute_fetchall(f"PRAGMA max_page_count={pages}")

    async def much(conn: Connection) -> None:
        await raw(conn, "INSERT INTO spending (day, credits) VALUES (?, 1)", "x" * 10_000)

    outcomes = await asyncio.gather(*map(db.transact, [writing("a"), much, writing("b")]), return_exceptions=True)
    assert isinstance(outcomes[1], sqlite3.OperationalError)
    kept = [day for day, outcome in zip("a-b", outcomes, strict=True) if not isinstance(outcome, Exception)]
    assert await days(db) == [*kept, "before"]
    assert not db._writer.in_transaction


async def test_work_may_wait_for_nothing_but_its_connection(db: Sqlite) -> None:
    """Work is done at once, and nothing else can be awaited in it: that is a mistake, and loud."""

    async def work(conn: Connection) -> None:
        await raw(conn, INSERT, "a")
        await asyncio.sleep(0)

    with pytest.raises(AssertionError, match="nothing but its connection"):
        await db.transact(work)
    assert await days(db) == []


async def test_cancelled_in_the_queue(db: Sqlite) -> None:
    """What has not begun is never done."""
    async with stuck(db):
        first = asyncio.create_task(db.transact(writing("a")))
        await steps()
        second = asyncio.create_task(db.transact(writing("b")))
        await steps()
        second.cancel()
        await steps()
        assert second.cancelled()
    await first
    assert await days(db) == ["a"]


async def test_cancelled_on_the_way(db: Sqlite) -> None:
    """What is being written is finished before the cancellation is heard, however often it is cancelled."""
    async with stuck(db):
        task = asyncio.create_task(db.transact(writing("a")))
        await steps()
        for _ in range(3):
            task.cancel()
            await steps()
        assert not task.done()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await days(db) == ["a"]
