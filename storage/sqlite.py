"""SQLite: one process owns the file, opened once, migrated at start, written to by one transaction at a time."""

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

import aiosqlite

from storage import migrations
from storage.connection import Connection, T, Work
from storage.database import Database, DatabaseBusyError
from storage.together import SqliteConnection, run_at_once, run_together

CHECKPOINT_PAGES = 10_000
"""Of 4 KiB in the log before they are copied into the file: with SQLite's 1000 that wait fell on 1 write in 100."""

_PASSING = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
}


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """A transaction that waits for the next group, and who waits for its outcome."""

    work: Work[Any]
    outcome: asyncio.Future[Any]


class Sqlite(Database):
    """An open SQLite database.

    WAL with `synchronous=FULL`: what a transaction wrote survives the process and the power. A write transaction
    starts with BEGIN IMMEDIATE, because the deferred default lets two readers both decide to spend the last credit.
    """

    Error = sqlite3.Error
    on_server = False

    def __init__(self, writer: aiosqlite.Connection, reader: aiosqlite.Connection, lock: IO[bytes] | None) -> None:
        self._writer = writer
        self._reader = reader
        self._turn = asyncio.Lock()
        self._lock = lock
        self._queue: list[_Waiting] = []
        self._writing: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, path: Path, *, own: bool = True) -> Self:
        """Open the file at `path`; see storage.opening."""
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
                yield SqliteConnection(self._writer)
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

    async def transact(self, work: Work[T]) -> T:
        """Run `work` in a write transaction, which stands on the disk on return; give what it gives.

        Work that waits is done together: a group shares one visit to the driver's thread and one fsync, which takes
        longer than all the rest; each is all or nothing by itself. `work` runs in that thread and may await nothing
        but its connection.
        """
        mine = _Waiting(work, asyncio.get_running_loop().create_future())
        self._queue.append(mine)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_queue())
        try:
            result: T = await asyncio.shield(mine.outcome)
        except asyncio.CancelledError:
            if mine in self._queue:
                self._queue.remove(mine)
            else:
                await _settled(mine.outcome)
            raise
        return result

    async def _write_queue(self) -> None:
        while self._queue:
            async with self._turn:
                group, self._queue = self._queue, []
                try:
                    outcomes = await self._together([one.work for one in group])
                except Exception as error:  # noqa: BLE001  whoever waits for an outcome is given it
                    outcomes = [error] * len(group)
            for one, outcome in zip(group, outcomes, strict=True):
                if isinstance(outcome, Exception):
                    one.outcome.set_exception(outcome)
                else:
                    one.outcome.set_result(outcome)

    async def _together(self, works: list[Work[Any]]) -> list[Any]:
        driver = self._writer
        # Under its public methods aiosqlite has the one way into its thread; tests would notice if it went.
        return await driver._execute(run_together, driver._conn, works)  # type: ignore[no-any-return,no-untyped-call]  # noqa: SLF001

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Connection]:
        """Give a connection that cannot write; each statement sees what was committed before it."""
        yield SqliteConnection(self._reader)

    async def look(self, work: Work[T]) -> T:
        """Run `work` in one visit to the reader's thread."""
        driver = self._reader
        return await driver._execute(run_at_once, driver._conn, work)  # type: ignore[no-any-return,no-untyped-call]  # noqa: SLF001  as above

    async def ping(self) -> None:
        """Find out whether the database answers. Raises sqlite3.Error."""
        await self._reader.execute_fetchall("SELECT 1 FROM jobs LIMIT 1")

    async def close(self) -> None:
        """Close the connections and let the next darkroom in."""
        if self._writing is not None:
            await _settled(self._writing)
        await self._writer.close()
        await self._reader.close()
        if self._lock is not None:
            self._lock.close()

    @staticmethod
    def passes(error: Exception) -> bool:
        """Tell a locked database or a full disk from a wrong statement."""
        code = getattr(error, "sqlite_errorcode", 0)
        return isinstance(error, sqlite3.OperationalError) and code & 0xFF in _PASSING


async def _surely(step: Coroutine[Any, Any, None]) -> None:
    """Finish `step` before anything else, even when cancelled: the next transaction needs this one closed."""
    task = asyncio.ensure_future(step)
    cancelled = await _settled(task)
    if cancelled is not None:
        task.exception()  # heard of, but the cancellation comes first
        raise cancelled
    task.result()


async def _settled(future: asyncio.Future[Any]) -> asyncio.CancelledError | None:
    """Wait until `future` is done, whatever comes of it; give the last cancellation that came meanwhile."""
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            cancelled = error
    return cancelled


async def _connect(path: Path, *, read_only: bool = False) -> aiosqlite.Connection:
    connection = await aiosqlite.connect(path, isolation_level=None, timeout=5.0, cached_statements=256)
    connection.row_factory = sqlite3.Row
    pragmas = ("journal_mode=WAL", "synchronous=FULL", f"wal_autocheckpoint={CHECKPOINT_PAGES}")
    for pragma in (*pragmas, f"query_only={'ON' if read_only else 'OFF'}"):
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
