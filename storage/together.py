"""How statements reach SQLite: one by one through its driver's thread, or at once in this one."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite.aiosqlite import dialect

from storage.connection import Connection, Row, T, Work, compiled

_DIALECT = dialect()


class Driver(Protocol):
    """What a connection needs of aiosqlite's."""

    async def execute_fetchall(self, sql: str, parameters: Iterable[Any] | None = None, /) -> Iterable[sqlite3.Row]:
        """Run a statement and give all of its rows."""

    async def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> object:
        """Run a statement for each of the parameters."""


class _AtOnce:
    """A driver for work that runs in this thread: it never waits."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def execute_fetchall(self, sql: str, parameters: Iterable[Any] | None = None, /) -> Iterable[sqlite3.Row]:
        return self._connection.execute(sql, tuple(parameters or ())).fetchall()

    async def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> object:
        return self._connection.executemany(sql, parameters)


class SqliteConnection(Connection):
    """A connection to SQLite; see storage.connection."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def all(self, statement: sa.Executable, **params: object) -> Sequence[Row]:
        """Run `statement` and give its rows."""
        sql, names, fixed = compiled(statement, tuple(params), _DIALECT)
        values = fixed | params
        rows = await self._driver.execute_fetchall(sql, [values[name] for name in names])
        return list(rows)  # type: ignore[arg-type]  # sqlite3.Row is a mapping in all but its declared type

    async def many(self, statement: sa.Executable, rows: Iterable[Mapping[str, object]]) -> None:
        """Run `statement` once for each of `rows`, which all have the same keys."""
        listed = list(rows)
        if listed:
            sql, names, fixed = compiled(statement, tuple(listed[0]), _DIALECT)
            await self._driver.executemany(sql, [[{**fixed, **row}[name] for name in names] for row in listed])

    async def lock(self, *names: str) -> bool:  # noqa: ARG002  what they are does not matter
        """Do nothing: a transaction that writes has the whole database."""
        return False


def run_at_once(connection: sqlite3.Connection, work: Work[T]) -> T:
    """Do work without ever waiting; each statement sees what was committed before it."""
    try:
        next(work(SqliteConnection(_AtOnce(connection))).__await__())
    except StopIteration as end:
        result: T = end.value
        return result
    raise AssertionError("a transaction may await nothing but its connection")


def run_together(connection: sqlite3.Connection, works: Sequence[Work[Any]]) -> list[Any]:
    """Do a group of work in the open transaction; give the result of each, or the exception that undid it alone."""
    return [_run_one(connection, work) for work in works]


def _run_one(connection: sqlite3.Connection, work: Work[Any]) -> object:
    connection.execute("SAVEPOINT one")
    try:
        outcome = run_at_once(connection, work)
    except AssertionError:
        raise
    except Exception as error:
        if not connection.in_transaction:
            raise  # SQLite undid everything, as it does when the disk is full
        connection.execute("ROLLBACK TO one")
        outcome = error
    connection.execute("RELEASE one")
    return outcome
