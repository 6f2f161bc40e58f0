"""PostgreSQL: any number of processes on any number of machines write to one database."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self
from weakref import WeakKeyDictionary

import psycopg
import sqlalchemy as sa
import stamina
from psycopg.abc import Buffer
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row
from psycopg.types.string import StrDumperUnknown
from psycopg_pool import AsyncConnectionPool
from sqlalchemy.dialects.postgresql.psycopg import dialect
from sqlalchemy.dialects.sqlite.dml import OnConflictClause

from storage import migrations
from storage.connection import Connection, Row, T, Work, compiled
from storage.database import Database, DatabaseError, settled

Raw = psycopg.AsyncConnection[dict[str, Any]]
POOL = 12
"""Connections of one process at most, procrastinate's among them."""

POOL_SECONDS = 10.0
"""How long one is waited for."""

CHECK_SECONDS = 1.0
"""So long a connection is taken for sound without a round trip; a transaction that finds it broken is done again."""

AGAIN_SECONDS = 5.0
"""How long a transaction is tried again that a deadlock or a restart of the server undid."""

SILENCE = "5s"
"""After so long without a statement the server undoes a transaction: else a process that froze in one, or whose machine
is gone, would keep its locks, and with them every process that wants to bury it, for as long as TCP takes."""

# A server whose machine is gone says nothing; without these one waits for it for hours (libpq, section 34.1.2).
ALIVE = {
    "application_name": "darkroom",
    "connect_timeout": "5",
    "keepalives": "1",
    "keepalives_idle": "3",
    "keepalives_interval": "1",
    "keepalives_count": "3",
    "tcp_user_timeout": "5000",
}

_SILENCE = "SELECT set_config('idle_in_transaction_session_timeout', %s, false)"
_DIALECT = dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's dialects are untyped
# SQLite has ON CONFLICT from PostgreSQL, word for word; this is all that the other's compiler misses in its clause.
OnConflictClause.constraint_target = None  # type: ignore[attr-defined]
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(name, 0)) FROM unnest(%s::text[]) AS name"


class _AnyText(StrDumperUnknown):
    """Puts U+FFFD for U+0000, which PostgreSQL's text cannot hold and a hostile name can."""

    def dump(self, obj: str) -> Buffer | None:
        return super().dump(obj.replace("\0", "\ufffd"))


def _checks() -> Callable[[Raw], Awaitable[None]]:
    """Have each connection tried before it is used that was not in use lately: the server may be gone, or new."""
    last: WeakKeyDictionary[Raw, float] = WeakKeyDictionary()

    async def check(raw: Raw) -> None:
        now = time.monotonic()
        if now - last.get(raw, float("-inf")) > CHECK_SECONDS:
            await AsyncConnectionPool.check_connection(raw)
        last[raw] = now

    return check


async def _configure(raw: Raw) -> None:
    raw.adapters.register_dumper(str, _AnyText)
    await raw.set_autocommit(True)  # not among the pool's kwargs, where procrastinate's listener sets it itself
    await raw.execute(_SILENCE, [SILENCE])


class PostgresConnection(Connection):
    """A connection to PostgreSQL; see storage.connection. `raw` is psycopg's, for what joins its transaction."""

    def __init__(self, raw: Raw) -> None:
        self.raw = raw
        self._locked: set[str] = set()

    async def all(self, statement: sa.Executable, **params: object) -> Sequence[Row]:
        """Run `statement` and give its rows."""
        sql, _, fixed = compiled(statement, tuple(params), _DIALECT)
        cursor = await self.raw.execute(sql.encode(), fixed | params)
        return await cursor.fetchall() if cursor.description else []

    async def many(self, statement: sa.Executable, rows: Iterable[Mapping[str, object]]) -> None:
        """Run `statement` once for each of `rows`, which all have the same keys."""
        listed = list(rows)
        if listed:
            sql, _, fixed = compiled(statement, tuple(listed[0]), _DIALECT)
            await self.raw.cursor().executemany(sql.encode(), [{**fixed, **row} for row in listed])

    async def lock(self, *names: str) -> bool:
        """Take advisory locks until the transaction ends, those it has not yet."""
        wanted = sorted(set(names) - self._locked)
        if wanted:
            await self.raw.execute(_LOCK, [wanted])
            self._locked.update(wanted)
        return bool(wanted)


class Postgres(Database):
    """An open PostgreSQL database.

    READ COMMITTED: whoever reads, decides and writes takes `Connection.lock` first. A transaction that a deadlock or a
    restart of the server undid is tried again, which is right because all that is written has its source.
    """

    Error = psycopg.Error
    on_server = True

    def __init__(self, pool: AsyncConnectionPool[Raw]) -> None:
        self.pool = pool
        self._weeding: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, url: sa.URL, *, own: bool = True) -> Self:
        """Connect to the server at `url`; see storage.opening."""
        url = url.set(drivername="postgresql+psycopg").update_query_dict(ALIVE)
        try:
            await asyncio.to_thread(migrations.bring_up_server, url, upgrade=own)
        except sa.exc.DBAPIError as error:
            message = f"PostgreSQL at {url.host or 'this machine'}: {str(error.orig).strip()}"
            raise DatabaseError(message) from None
        pool: AsyncConnectionPool[Raw] = AsyncConnectionPool(
            make_conninfo(**_DIALECT.create_connect_args(url)[1]),  # type: ignore[no-untyped-call]  # as above
            kwargs={"row_factory": dict_row},
            min_size=1,
            max_size=POOL,
            timeout=POOL_SECONDS,
            reconnect_timeout=POOL_SECONDS,  # it waits twice as long each time, and begins anew after this
            check=_checks(),
            configure=_configure,
            open=False,
        )
        await pool.open(wait=True)
        return cls(pool)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[PostgresConnection]:
        """Give a write transaction: committed at the end, rolled back on any exception."""
        async with self._sound() as raw, raw.transaction():
            yield PostgresConnection(raw)

    async def transact(self, work: Work[T]) -> T:
        """Run `work` in a write transaction, which is safe on return, cancelled or not; give what it gives."""
        task = asyncio.create_task(self._again(lambda: self._once(work)))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await settled(task)  # whether it was written has to be known before anything else is done
            if not task.cancelled():
                task.exception()
            raise

    async def _again(self, once: Callable[[], Awaitable[T]]) -> T:
        try:
            return await once()
        except psycopg.Error as error:
            if not self.passes(error):
                raise
        await asyncio.shield(self._weed())
        async for attempt in stamina.retry_context(on=self.passes, attempts=None, timeout=AGAIN_SECONDS):
            with attempt:
                result = await once()
        return result

    def _weed(self) -> asyncio.Task[None]:
        """Try the connections that nobody uses, for one that is broken is seldom alone.

        A task of its own: the pool would never see again what it had in hand when it was cancelled.
        """
        if self._weeding is None or self._weeding.done():
            self._weeding = asyncio.create_task(self.pool.check())
        return self._weeding

    async def _once(self, work: Work[T]) -> T:
        async with self.pool.connection() as raw, raw.transaction():
            return await work(PostgresConnection(raw))

    @asynccontextmanager
    async def _sound(self) -> AsyncIterator[Raw]:
        """Give a connection to whoever cannot begin again with another: one that the server knows."""
        while True:
            async with self.pool.connection() as raw:
                try:
                    await AsyncConnectionPool.check_connection(raw)
                except psycopg.OperationalError:
                    continue  # the pool throws it away
                yield raw
                return

    @asynccontextmanager
    async def read(self) -> AsyncIterator[PostgresConnection]:
        """Give a connection; each statement sees what was committed before it."""
        async with self._sound() as raw:
            yield PostgresConnection(raw)

    async def look(self, work: Work[T]) -> T:
        """Run `work` on one connection of the pool."""

        async def once() -> T:
            async with self.pool.connection() as raw:
                return await work(PostgresConnection(raw))

        return await self._again(once)

    async def ping(self) -> None:
        """Find out whether the database answers."""
        async with self._sound() as raw:
            await raw.execute("SELECT 1 FROM jobs LIMIT 1")

    async def close(self) -> None:
        """Close all connections."""
        if self._weeding:
            self._weeding.cancel()
            await asyncio.wait([self._weeding])
        await self.pool.close()

    @staticmethod
    def passes(error: Exception) -> bool:
        """Tell a server that is away or lost patience, a deadlock or a full disk from a wrong statement."""
        passing = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.IdleInTransactionSessionTimeout)
        return isinstance(error, passing)
