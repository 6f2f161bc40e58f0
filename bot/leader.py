"""Who polls Telegram where many processes could: the one that holds a lock, until its connection is lost."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import LiteralString

import psycopg
import structlog

from storage.apart import Raw, connected
from storage.postgres import Postgres

TRY_SECONDS = 1.0
"""How often the lock is tried, and by its holder the connection that it hangs on."""

LOST_SECONDS = 2.0
"""A holder whose question is not answered in this time stops polling."""

SILENCE = "5s"
"""After so long without a question the server takes the lock from its holder, frozen or cut off."""

_LOCK = "SELECT pg_try_advisory_lock(hashtextextended('polling', 0))"
log = structlog.get_logger()


async def lead(db: Postgres, work: Callable[[], Awaitable[object]]) -> None:
    """Have `work` going on in one of all processes that call this, as long as that one lives; until cancelled.

    What `work` raises is raised here, where the lock was held.
    """
    while True:
        try:
            async with _leading(db) as raw:
                log.info("this process polls Telegram")
                task = await _until_lost(raw, work)
        except psycopg.Error as error:
            log.warning("cannot hold the lock to poll Telegram", why=str(error).partition("\n")[0])
            await asyncio.sleep(TRY_SECONDS)
        else:
            if not task.cancelled():
                task.result()


@asynccontextmanager
async def _leading(db: Postgres) -> AsyncIterator[Raw]:
    """Wait for the lock, and hold it; it goes with the connection."""
    async with connected(db, silence=SILENCE) as raw:
        while not await _ask(raw, _LOCK):  # noqa: ASYNC110  its holder may be anywhere
            await asyncio.sleep(TRY_SECONDS)
        yield raw


async def _until_lost(raw: Raw, work: Callable[[], Awaitable[object]]) -> asyncio.Future[object]:
    """Do the work as long as the server answers, and give it. Raises psycopg.Error when the connection is lost."""
    task = asyncio.ensure_future(work())
    try:
        while not (await asyncio.wait([task], timeout=TRY_SECONDS))[0]:
            late = asyncio.get_running_loop().call_later(LOST_SECONDS, task.cancel)
            await _ask(raw, "SELECT true")
            late.cancel()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return task


async def _ask(raw: Raw, question: LiteralString) -> bool:
    row = await (await raw.execute(question)).fetchone()
    return bool(row and row[0])
