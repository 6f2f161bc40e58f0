"""What a database is to the other rooms, SQLite's file and PostgreSQL's server alike (storage.opening opens either)."""

import asyncio
from abc import ABC, abstractmethod
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar

import stamina

from storage.connection import Connection, Row, T, Work

__all__ = ["Connection", "Database", "DatabaseBusyError", "DatabaseError", "Row", "Work", "settled"]


class DatabaseError(RuntimeError):
    """The database cannot be opened; the sentence says why, and holds no secret."""


class DatabaseBusyError(DatabaseError):
    """Another darkroom already runs on this database file."""


class Database(ABC):
    """An open database. What a transaction wrote survives the process and the power once it is over.

    `Error` is what its driver raises; `on_server` tells whether other processes may write to it, too.
    """

    Error: ClassVar[type[Exception]]
    on_server: ClassVar[bool]

    @abstractmethod
    def begin(self) -> AbstractAsyncContextManager[Connection]:
        """Give a write transaction: committed at the end, rolled back on any exception."""

    @abstractmethod
    async def transact(self, work: Work[T]) -> T:
        """Run `work` in a write transaction, which is safe on return, cancelled or not; give what it gives.

        For statements that find their rows by an index: the event loop waits for them (`begin` is for the others).
        """

    async def persist(self, work: Work[T]) -> T:
        """Run `work` like `transact`, again and again while the database is locked, full or away.

        For what has happened already and must be written down: a task the provider took, a reply Telegram took.
        """
        try:
            return await self.transact(work)  # setting up stamina costs as much as this
        except self.Error as error:
            if not self.passes(error):
                raise
        async for attempt in stamina.retry_context(on=self.passes, attempts=None, timeout=None, wait_max=5.0):
            with attempt:
                result = await self.transact(work)
        return result

    @abstractmethod
    def read(self) -> AbstractAsyncContextManager[Connection]:
        """Give a connection that only reads; each statement sees what was committed before it."""

    @abstractmethod
    async def look(self, work: Work[T]) -> T:
        """Run `work` on a connection that only reads; cheaper than `read`, and only for rows that an index finds."""

    @abstractmethod
    async def ping(self) -> None:
        """Find out whether the database answers. Raises `Error`."""

    @abstractmethod
    async def close(self) -> None:
        """Let go of it."""

    @staticmethod
    @abstractmethod
    def passes(error: Exception) -> bool:
        """Tell trouble that passes (locked, full, away) from a wrong statement, which does not."""


async def settled(future: asyncio.Future[Any]) -> asyncio.CancelledError | None:
    """Wait until `future` is done, whatever comes of it; give the last cancellation that came meanwhile."""
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            cancelled = error
    return cancelled
