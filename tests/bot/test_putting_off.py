"""A photo that the database's absence breaks off is handled later: nobody is told to send again what will come."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest
import structlog

from bot import intake as intake_module
from storage import postgres
from tests.bot.replicas import SOON, Replica, replicas
from tests.handlers.telegram_wire import ANNA, PHOTO, PRIVATE, message

ASKED = message(PRIVATE, ANNA, "/enhance", **PHOTO)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "DONE_SECONDS", 0.001)
    monkeypatch.setattr(postgres, "AGAIN_SECONDS", 0.1)
    monkeypatch.setenv(
        "PGOPTIONS", "-c lock_timeout=50ms"
    )  # to the bot a lock that it waits for in vain is trouble that passes


@asynccontextmanager
async def no_jobs_written(url: str) -> AsyncIterator[None]:
    """Keep everybody from the table of jobs, though not from the inbox."""
    async with await psycopg.AsyncConnection.connect(url, options="") as connection:
        await connection.execute("LOCK TABLE jobs")
        yield


async def until_put_off(replica: Replica) -> None:
    """Have a photo sent, and wait until it was given up for now."""
    with structlog.testing.capture_logs() as logs:
        await replica.take(ASKED)
        async with asyncio.timeout(SOON):
            while not [entry for entry in logs if entry["event"] == "update put off"]:
                await asyncio.sleep(0.01)


async def test_handled_when_the_database_is_back(server_url: str) -> None:
    """The same process takes it up again, and the person hears of the result only."""
    async with replicas(server_url, 1) as (replica,):
        async with no_jobs_written(server_url):
            await until_put_off(replica)
            assert replica.wire.texts() == []
        await replica.intake.claim()
        await replica.until_handled()
        assert len(await replica.jobs()) == 1
        assert replica.wire.texts() == []


async def test_handled_by_who_can(server_url: str) -> None:
    """If the process is gone by then, another takes it up."""
    async with replicas(server_url, 2) as (cut_off, other):
        async with no_jobs_written(server_url):
            await until_put_off(cut_off)
        await cut_off.die()
        await other.intake.claim()
        await other.until_handled()
        assert len(await other.jobs()) == 1
        assert cut_off.wire.texts() + other.wire.texts() == []
