"""Either database: all or nothing whatever is cancelled when, opened again, and loud about mistakes."""

import asyncio

import pytest

from storage.connection import Work
from storage.database import Connection, Database
from storage.migrations import SchemaError
from tests.databases import raw, reached

INSERT = "INSERT INTO spending (day, credits) VALUES (?, 1)"


async def days(db: Database) -> list[object]:
    async with db.read() as conn:
        return [day for (day,) in await raw(conn, "SELECT day FROM spending ORDER BY day")]


async def steps(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def writing(day: str, error: Exception | None = None) -> Work[str]:
    """Give work that inserts `day` and gives it back, or fails after that."""

    async def work(conn: Connection) -> str:
        await raw(conn, INSERT, day)
        if error:
            raise error
        return day

    return work


async def test_what_was_written_is_there_again(url: str) -> None:
    """What a transaction wrote outlives the connection, and who opens without owning sees it, too."""
    async with reached(url) as db:
        assert await db.transact(writing("2026-01-01")) == "2026-01-01"
    async with reached(url, own=False) as db:
        await db.ping()
        assert await days(db) == ["2026-01-01"]
        assert await db.look(lambda conn: raw(conn, "SELECT credits FROM spending")) == [(1,)]


async def test_a_newer_schema_is_refused_each_time(url: str) -> None:
    """A start that fails does not keep the next one out of the same process."""
    async with reached(url) as db, db.begin() as conn:
        await raw(conn, "UPDATE alembic_version SET version_num = '9999'")
    for own in (True, True, False):
        with pytest.raises(SchemaError, match="newer than this program"):
            async with reached(url, own=own):
                pass


async def test_an_exception_rolls_back(db: Database) -> None:
    """Nothing of a transaction that failed is kept, and the next one works."""
    with pytest.raises(ZeroDivisionError):  # noqa: PT012  the transaction is what raises
        async with db.begin() as conn:
            await raw(conn, INSERT, "2026-01-01")
            raise ZeroDivisionError
    async with db.begin() as conn:
        await raw(conn, INSERT, "2026-01-02")
    assert await days(db) == ["2026-01-02"]


async def test_one_that_fails_undoes_nothing_of_the_others(db: Database) -> None:
    """Of transactions at the same moment each is all or nothing by itself, and is told its own outcome."""
    await db.transact(writing("a"))
    works = [writing("b", ZeroDivisionError()), writing("c"), writing("a"), writing("d")]
    outcomes = await asyncio.gather(*map(db.transact, works), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes[:2]] == [ZeroDivisionError, str]
    assert isinstance(outcomes[2], db.Error)
    assert await days(db) == ["a", "c", "d"]


async def test_cancelled_anywhere(db: Database) -> None:
    """Wherever the cancellation falls, two rows are written or none, and the next transaction works."""

    async def both(conn: Connection, number: int) -> None:
        await raw(conn, INSERT, f"a{number}")
        await raw(conn, INSERT, f"b{number}")

    async def write(number: int) -> None:
        if number % 2:
            await db.transact(lambda conn: both(conn, number))
        else:
            async with db.begin() as conn:
                await both(conn, number)

    for number in range(60):
        task = asyncio.create_task(write(number))
        for _ in range(number % 30):
            await asyncio.sleep(0.0001 if number > 30 else 0)
        task.cancel()
        await asyncio.wait([task])
    await db.transact(writing("last"))
    found = await days(db)
    assert "last" in found
    assert {str(day)[1:] for day in found if str(day)[0] == "a"} == {
        str(day)[1:] for day in found if str(day)[0] == "b"
    }


async def test_persist_is_loud_about_a_wrong_statement(db: Database) -> None:
    """A mistake does not pass by waiting, so it is raised at once."""
    for sql in ("INSERT INTO nowhere VALUES (1)", "INSERT INTO spending (day, credits) VALUES ('a', NULL)"):

        async def write(conn: Connection, sql: str = sql) -> None:
            await raw(conn, sql)

        with pytest.raises(db.Error):
            await db.persist(write)
    await db.persist(writing("2026-01-02"))
    assert await days(db) == ["2026-01-02"]
