"""SQLite: one process owns the file, opened once, migrated at start, written to by one transaction at a time."""

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Self

import aiosqlite

from storage import migrations
from storage.connection import Connection, T, Work
from storage.database import Database, DatabaseBusyError, DatabaseError, settled
from storage.together import SqliteConnection, run_at_once, run_together

CHECKPOINT_PAGES = 10_000
"""Of 4 KiB in the log before they are copied into the file: with SQLite's 1000 that wait fell on 1 write in 100."""

_OPTIONS: Final[dict[str, Any]] = {"isolation_level": None, "timeout": 5.0, "cached_statements": 256}
"""Transactions begin where we say so; seconds to wait for a lock; each statement is prepared once."""

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

    def __init__(
        self,
        writer: aiosqlite.Connection,
        reader: aiosqlite.Connection,
        at_hand: sqlite3.Connection,
        lock: IO[bytes] | None,
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._at_hand = at_hand
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
            writer, reader = await _connect(path), await _connect(path, read_only=True)
            return cls(writer, reader, _connect_at_hand(path), lock)
        except BaseException as error:
            if lock is not None:
                lock.close()
            if isinstance(error, sqlite3.Error):
                message = f"{path}: {error}"
                raise DatabaseError(message) from None
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

        Work that waits is done together: a group shares one fsync, which takes longer than all the rest; each is all
        or nothing by itself. `work` may await nothing but its connection, and takes the event loop's time: it is for
        statements that find their rows by an index. What takes longer has `begin`.
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
                await settled(mine.outcome)
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
        """Go to the driver's thread for what may wait only, the lock and the disk, and run the statements here.

        They take some 10 µs each. In the other thread they cost twice that, for the interpreter changes hands at each.
        """
        try:
            await self._writer.execute_fetchall("BEGIN IMMEDIATE")
            # aiosqlite shows its connection to nobody; tests would notice if it went.
            outcomes = run_together(self._writer._conn, works)  # noqa: SLF001
        except BaseException:
            await self._roll_back()
            raise
        await self._commit()
        return outcomes

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Connection]:
        """Give a connection that cannot write; each statement sees what was committed before it."""
        yield SqliteConnection(self._reader)

    async def look(self, work: Work[T]) -> T:
        """Run `work` at once, like `transact`: who only reads waits for nobody, and the disk has its rows at hand."""
        return run_at_once(self._at_hand, work)

    async def ping(self) -> None:
        """Find out whether the database answers. Raises sqlite3.Error."""
        await self._reader.execute_fetchall("SELECT 1 FROM jobs LIMIT 1")

    async def close(self) -> None:
        """Close the connections and let the next darkroom in."""
        if self._writing is not None:
            await settled(self._writing)
        await self._writer.close()
        await self._reader.close()
        self._at_hand.close()
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
    cancelled = await settled(task)
    if cancelled is not None:
        task.exception()  # heard of, but the cancellation comes first
        raise cancelled
    task.result()


async def _connect(path: Path, *, read_only: bool = False) -> aiosqlite.Connection:
    """Open a connection of aiosqlite's, whose thread is not the only one that may use it (Sqlite._together)."""
    connection = await aiosqlite.connect(path, check_same_thread=False, **_OPTIONS)
    connection.row_factory = sqlite3.Row
    for pragma in _pragmas(read_only=read_only):
        await connection.execute_fetchall(pragma)
    return connection


def _connect_at_hand(path: Path) -> sqlite3.Connection:
    """Open a connection to read with, for the event loop's thread."""
    connection: sqlite3.Connection = sqlite3.connect(path, **_OPTIONS)
    connection.row_factory = sqlite3.Row
    for pragma in _pragmas(read_only=True):
        connection.execute(pragma)
    return connection


def _pragmas(*, read_only: bool) -> list[str]:
    set_to = {
        "journal_mode": "WAL",
        "synchronous": "FULL",
        "wal_autocheckpoint": CHECKPOINT_PAGES,
        "query_only": "ON" if read_only else "OFF",
    }
    return [f"PRAGMA {name}={value}" for name, value in set_to.items()]


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
