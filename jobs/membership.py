"""Whether this process lives, in the eyes of those that share its database: what it owns hangs on that."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from storage import processes
from storage.database import Database, Row
from storage.jobs import SupersededError

BEAT_SECONDS = 2.0
LEASE_SECONDS = 10.0
"""After so long without a beat the others take a process for dead, and its jobs for theirs."""

log = structlog.get_logger()


class Lease(Protocol):
    """What makes sure that a job is worked on by one process only."""

    def owns(self, row: Row) -> bool:
        """Tell whether a job is this process's."""

    async def sure(self) -> None:
        """Return when nobody can take this process for dead. Raises SupersededError when somebody did."""


class Alone:
    """The lease of a process that has its database for itself."""

    id = 1

    def owns(self, _row: Row) -> bool:
        """Own everything."""
        return True

    async def sure(self) -> None:
        """Be sure."""


ALONE = Alone()


class Membership:
    """One of several processes; `role` is run, web or worker, `states` gives what it knows of its providers, as JSON.

    `on_beat` is called after each beat, unless it is still at work since an earlier one: however long that takes, the
    next beat comes in time. What it raises is logged. `on_lost` is called when the others have buried this process,
    which then goes on under a new `id`.
    """

    def __init__(self, db: Database, role: str, states: Callable[[], str | None] = lambda: None) -> None:
        self._db = db
        self._role = role
        self._states = states
        self.id = 0
        self.on_beat: list[Callable[[], Awaitable[None]]] = []
        self.on_lost: list[Callable[[], Awaitable[None]]] = []
        self._beat_at = float("-inf")  # before the last beat was written, by the monotonic clock
        self._bury_from = float("-inf")  # by the same clock
        self._again = asyncio.Event()
        self._chores: asyncio.Task[None] | None = None

    @property
    def fresh(self) -> bool:
        """Whether the others surely take this process for alive."""
        return time.monotonic() - self._beat_at < LEASE_SECONDS

    async def join(self) -> None:
        """Register."""
        began = time.monotonic()
        self.id = await self._db.persist(lambda conn: processes.join(conn, self._role))
        self._beat_at = began

    async def run(self) -> None:
        """Beat until cancelled."""
        try:
            while True:
                await asyncio.sleep(BEAT_SECONDS)
                try:
                    await self._beat()
                except self._db.Error as error:
                    log.warning("no beat", cause=repr(error))
        finally:
            if self._chores:
                self._chores.cancel()
                await asyncio.wait([self._chores])

    async def leave(self) -> None:
        """Leave jobs and updates to the others."""
        await self._db.transact(lambda conn: processes.leave(conn, self.id))

    def owns(self, row: Row) -> bool:
        """Tell whether a job is this process's."""
        return bool(row["owner"] == self.id != 0)  # 0 has what nobody took yet

    async def sure(self) -> None:
        """Return when nobody can take this process for dead. Raises SupersededError when somebody did."""
        mine = self.id
        while not self.fresh and self.id == mine:
            await self._again.wait()
        if self.id != mine:
            raise SupersededError(mine)

    async def _beat(self) -> None:
        began, me, states = time.monotonic(), self.id, self._states()
        alive = await self._db.transact(lambda conn: processes.beat(conn, me, states))
        if not self.fresh:  # it may have been the way to the server, and then the others are as late
            self._bury_from = time.monotonic() + LEASE_SECONDS
        if not alive:
            log.warning("taken for dead by the others: what this process worked on is theirs", process=me)
            self.id = 0
            for lost in self.on_lost:
                await lost()
            await self.join()
        self._beat_at = began
        self._again.set()
        self._again = asyncio.Event()
        if time.monotonic() >= self._bury_from:
            await self._bury()
        if self._chores is None or self._chores.done():
            self._chores = asyncio.create_task(self._do_chores())

    async def _bury(self) -> None:
        if dead := await self._db.transact(lambda conn: processes.bury(conn, LEASE_SECONDS)):
            log.warning("took over from dead processes", processes=dead)

    async def _do_chores(self) -> None:
        for call in self.on_beat:
            try:
                await call()
            except Exception:
                log.exception("a chore of the beat failed")
