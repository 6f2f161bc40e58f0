"""Connections to PostgreSQL beside the pool, whose sessions mean something: one that listens, one that holds a lock."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg

from storage.postgres import Postgres

Raw = psycopg.AsyncConnection[tuple[object, ...]]
_SILENCE = "SELECT set_config(name, %s, false) FROM pg_settings WHERE name = 'idle_session_timeout'"


@asynccontextmanager
async def connected(db: Postgres, *, silence: str = "0") -> AsyncIterator[Raw]:
    """Connect for as long as the context lasts. Raises psycopg.Error when the server is away.

    `silence` is how long the server lets the session be without a statement before it ends it, such as "5s": that
    way a process that froze, or whose machine is gone, holds no lock for long. "0" is for ever.
    """
    assert isinstance(db.pool.conninfo, str)  # noqa: S101  a pool may have it from a function; ours has not
    raw = await psycopg.AsyncConnection.connect(db.pool.conninfo, autocommit=True)
    try:
        await raw.execute(_SILENCE, [silence])
        yield raw
    finally:
        await raw.close()
