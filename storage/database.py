"""The one way to the database: opened once, migrated at start, written to by one transaction at a time."""

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, Self, TypeVar

import aiosqlite
import sqlalchemy as sa
import stamina
from sqlalchemy.dialects.sqlite.aiosqlite import dialect

from storage import migrations

Row = Mapping[str, Any]
T = TypeVar("T")
_DIALECT = dialect()
_PASSING = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
}


class DatabaseBusyError(RuntimeError):
    """Another darkroom already runs on this database file."""


class Connection:
    """Runs SQLAlchemy Core statements on the driver itself.

    SQLAlchemy's own execution over aiosqlite crosses to the driver's thread four times a statement, which cost 1.4 ms
    of CPU for a one-row transaction here; compiled once and run on the driver the same transaction costs 0.25 ms
    (docs/performance.md). Statements are module constants, so that each is compiled once.
    """

    def __init__(self, driver: aiosqlite.Connection) -> None:
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


class Database:
    """An open SQLite database.

    WAL with `synchronous=FULL`: what a transaction wrote survives the process and the power. A write transaction
    starts with BEGIN IMMEDIATE, because the deferred default lets two readers both decide to spend the last credit.
    """

    def __init__(self, writer: aiosqlite.Connection, reader: aiosqlite.Connection, lock: IO[bytes] | None) -> None:
        self._writer = writer
        self._reader = reader
        self._turn = asyncio.Lock()
        self._lock = lock

    @classmethod
    async def open(cls, url: str, *, own: bool = True) -> Self:
        """Open the database at `url` (`sqlite:///file.db`).

        With `own` it is locked against a second darkroom and brought to the newest schema; without, it is taken as it
        stands. Raises DatabaseBusyError, migrations.SchemaError, or sqlite3.Error when the file cannot be had.
        """
        path = Path(sa.make_url(url).database or "")
        lock = _lock(path) if own else None
        try:
            await asyncio.to_thread(migrations.bring_up, path, upgrade=own)
            return cls(await _connect(path), await _connect(path, read_only=True), lock)
        except BaseException:
            if lock is not None:
                lock.close()
            raise

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Connection]:
        """Give a write transaction: committed at the end, rolled back on any exception."""
        async with self._turn:
            try:
                await self._writer.execute_fetchall("BEGIN IMMEDIATE")
                yield Connection(self._writer)
            except BaseException:
                await _surely(self._roll_back())
                raise
            else:
                await _surely(self._commit())

    async def _commit(self) -> None:
        try:
            await self._writer.execute_fetchall("COMMIT")
        except sqlite3.Error:
            await self._roll_back()
            raise

    async def _roll_back(self) -> None:
        with suppress(sqlite3.OperationalError):  # BEGIN itself failed: there is nothing to roll back
            await self._writer.execute_fetchall("ROLLBACK")

    async def persist(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run `work` in a write transaction of its own, again and again while the database is locked or the disk full.

        For what has happened already and must be written down: a task the provider took, a reply Telegram took.
        """
        async for attempt in stamina.retry_context(on=_passes, attempts=None, timeout=None, wait_max=5.0):
            with attempt:
                async with self.begin() as conn:
                    result = await work(conn)
        return result

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Connection]:
        """Give a connection that cannot write; each statement sees what was committed before it."""
        yield Connection(self._reader)

    async def ping(self) -> None:
        """Find out whether the database answers. Raises sqlite3.Error."""
        await self._reader.execute_fetchall("SELECT 1 FROM jobs LIMIT 1")

    async def close(self) -> None:
        """Close the connections and let the next darkroom in."""
        await self._writer.close()
        await self._reader.close()
        if self._lock is not None:
            self._lock.close()


async def _surely(step: Coroutine[Any, Any, None]) -> None:
    """Finish `step` before anything else, even when cancelled: the next transaction needs this one closed."""
    task = asyncio.ensure_future(step)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        task.exception()  # heard of, but the cancellation comes first
        raise cancelled
    task.result()


def _passes(error: Exception) -> bool:
    """Tell a locked database or a full disk, which pass, from a wrong statement, which does not."""
    code = getattr(error, "sqlite_errorcode", 0)
    return isinstance(error, sqlite3.OperationalError) and code & 0xFF in _PASSING


async def _connect(path: Path, *, read_only: bool = False) -> aiosqlite.Connection:
    connection = await aiosqlite.connect(path, isolation_level=None, timeout=5.0, cached_statements=256)
    connection.row_factory = sqlite3.Row
    for pragma in ("journal_mode=WAL", "synchronous=FULL", f"query_only={'ON' if read_only else 'OFF'}"):
        await connection.execute_fetchall(f"PRAGMA {pragma}")
    return connection


def _lock(path: Path) -> IO[bytes]:
    """Hold `<database>.lock` for as long as the returned file is open; the kernel lets go when the process dies."""
    handle = path.with_name(path.name + ".lock").open("ab")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        message = f"another darkroom already runs on {path.name}: stop it, or set DARKROOM_DATABASE_URL to another file"
        raise DatabaseBusyError(message) from None
    handle.truncate(0)
    handle.write(f"{os.getpid()}\n".encode())
    handle.flush()
    return handle
