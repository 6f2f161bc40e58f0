"""How statements reach SQLite: compiled once, run on the driver, one by one or a group of transactions together."""

import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite.aiosqlite import dialect

Row = Mapping[str, Any]
T = TypeVar("T")
_DIALECT = dialect()


class Driver(Protocol):
    """What a Connection needs of aiosqlite's."""

    async def execute_fetchall(self, sql: str, parameters: Iterable[Any] | None = None, /) -> Iterable[sqlite3.Row]:
        """Run a statement and give all of its rows."""

    async def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> object:
        """Run a statement for each of the parameters."""


class _AtOnce:
    """A driver for work that runs in the driver's thread already: it never waits."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def execute_fetchall(self, sql: str, parameters: Iterable[Any] | None = None, /) -> Iterable[sqlite3.Row]:
        return self._connection.execute(sql, tuple(parameters or ())).fetchall()

    async def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> object:
        return self._connection.executemany(sql, parameters)


class Connection:
    """Runs SQLAlchemy Core statements on the driver itself.

    SQLAlchemy's own execution over aiosqlite crosses to the driver's thread four times a statement and costs 0.6 to
    1.4 ms of CPU for a one-row transaction here; compiled once and run on the driver it costs 0.2 ms, through
    `run_together` 0.15 ms alone and 0.024 ms in a group of twenty (docs/performance.md). Statements are module
    constants, so that each is compiled once.
    """

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def all(self, statement: sa.Executable, **params: object) -> Sequence[Row]:
        """Run `statement` and give its rows."""
        sql, names, fixed = _compile(statement, tuple(params))
        values = fixed | params
        rows = await self._driver.execute_fetchall(sql, [values[name] for name in names])
        return list(rows)  # type: ignore[arg-type]  # sqlite3.Row is a mapping in all but its declared type

    async def one(self, statement: sa.Executable, **params: object) -> Row | None:
        """Run `statement` and give its first row, or None."""
        rows = await self.all(statement, **params)
        return rows[0] if rows else None

    async def many(self, statement: sa.Executable, rows: Iterable[Mapping[str, object]]) -> None:
        """Run `statement` once for each of `rows`, which all have the same keys."""
        listed = list(rows)
        if listed:
            sql, names, fixed = _compile(statement, tuple(listed[0]))
            await self._driver.executemany(sql, [[{**fixed, **row}[name] for name in names] for row in listed])


@lru_cache(maxsize=256)
def _compile(statement: sa.Executable, keys: tuple[str, ...]) -> tuple[str, list[str], dict[str, object]]:
    compiled = statement.compile(  # type: ignore[attr-defined]  # every Core statement compiles; Executable does not say so
        dialect=_DIALECT, column_keys=list(keys) or None, compile_kwargs={"render_postcompile": True}
    )
    return str(compiled), list(compiled.positiontup or ()), dict(compiled.params)


Work = Callable[[Connection], Awaitable[T]]


def run_together(connection: sqlite3.Connection, works: Sequence[Work[Any]]) -> list[Any]:
    """Do a group of work in one transaction; give the result of each, or the exception that undid it alone."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        outcomes = [_run_one(connection, work) for work in works]
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return outcomes


def _run_one(connection: sqlite3.Connection, work: Work[Any]) -> object:
    connection.execute("SAVEPOINT one")
    try:
        next(work(Connection(_AtOnce(connection))).__await__())
    except StopIteration as end:
        outcome = end.value
    except Exception as error:
        if not connection.in_transaction:
            raise  # SQLite undid everything, as it does when the disk is full
        connection.execute("ROLLBACK TO one")
        outcome = error
    else:
        raise AssertionError("a transaction may await nothing but its connection")
    connection.execute("RELEASE one")
    return outcome
