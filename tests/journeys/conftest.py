"""A house for each journey: sandbox and bot in this process, the engine in its own, all over real sockets."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from bot import windows
from bot.app import running
from bot.books import find_differences
from bot.settings import Settings
from sandbox.client import Chat, Message, Person, Telegram
from sandbox.server import Sandbox
from storage import periods
from storage.database import Database
from storage.opening import open_database
from storage.tables import inbox, jobs
from tests.journeys.stage import KEY, START_SECONDS, TOKEN

TO_NOON = 48 - int(time.time() // 900) % 96  # quarters of an hour
HELD = 60.0
"""Seconds of a delay that the test ends with `tg.no_faults()`; nothing waits for them."""


@pytest.fixture(scope="session")
def engine_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One engine for all journeys: starting its workers takes longer than most of them."""
    port = tmp_path_factory.mktemp("engine") / "port"
    command = [
        sys.executable,
        "-m",
        "engine",
        "--port",
        "0",
        "--port-file",
        str(port),
        "--workers",
        "1",
        "--allow-private",
    ]
    with subprocess.Popen(command, env={**os.environ, "ENGINE_KEYS": KEY}) as engine:
        try:
            asyncio.run(_written(port, engine))
            yield f"http://127.0.0.1:{port.read_text().strip()}"
        finally:
            engine.terminate()


async def _written(file: Path, engine: subprocess.Popen[bytes]) -> None:
    async with asyncio.timeout(START_SECONDS):
        while not file.exists():
            assert engine.poll() is None, "the engine did not start"
            await asyncio.sleep(0.05)


@dataclass(frozen=True, slots=True)
class House:
    """A running bot, and the Telegram it runs in."""

    tg: Telegram
    settings: Settings
    path: Path

    async def person(self, name: str = "Ann", **more: Any) -> Person:
        """Make the acquaintance of somebody who has pressed Start."""
        person = await self.tg.person(name, **more)
        hello = await person.send(text="/start help")  # /start itself shows pictures, which use up the chat's pace
        await person.chat.wait_for(after=hello)
        return person

    def bot(self, **changes: Any) -> AbstractAsyncContextManager[None]:
        """Start a bot here, with these settings changed."""
        return running(self.settings.model_copy(update=changes))

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Database]:
        """Look into the bot's database while it runs."""
        db = await open_database(f"sqlite:///{self.path}", own=False)
        try:
            yield db
        finally:
            await db.close()

    async def until(self, found: sa.Select[Any]) -> None:
        """Wait until the bot's database has what is looked for: what people see comes before what is written down."""
        async with self.database() as db:
            while True:
                async with db.read() as conn:
                    if await conn.one(found):
                        return
                await asyncio.sleep(0.02)

    async def settled(self) -> None:
        """Wait until all that was asked is done in the database, too."""
        left = sa.exists().where(jobs.c.told == 0) | sa.exists().where(inbox.c.done_at.is_(None))
        await self.until(sa.select(sa.literal(1).label("settled")).where(~left))

    async def result(self, chat: Chat, asked: Message) -> Message:
        """Give the bot's reply that is a result, when the books know of it, too."""
        reply = await answer(chat, asked, result=True)
        await self.settled()
        return reply

    async def books_balance(self) -> bool:
        """Audit the bot's database, as `darkroom audit` does; shows what differs."""
        found = await find_differences(self.settings)
        assert found == []
        return True


async def answer(chat: Chat, asked: Message, *, result: bool = False) -> Message:
    """Give the bot's reply to a message, or the reply that is a result."""
    return await chat.wait_for(
        lambda message: message.by_bot and message.replies_to == asked.id and (message.has_file or not result),
        after=asked,
    )


async def ready(url: str, *parts: str) -> None:
    """Wait until a process says that it is ready, and what that means for it; a slow check says that it is not."""
    async with asyncio.timeout(START_SECONDS), httpx.AsyncClient(base_url=url, timeout=START_SECONDS) as web:
        while (await web.get("/readyz")).json() != {"ready": True, "checks": dict.fromkeys(parts, "ok")}:
            await asyncio.sleep(0.1)
        assert "darkroom_queue_depth" in (await web.get("/metrics")).text


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the sandbox take what people's fingers could never ask for so fast; tests/bot shows the real pace.

    And no machine is so slow that how far a photo is would be told before what comes of it; see test_progress.py.
    """
    monkeypatch.setattr(windows, "CHAT_WINDOW", (1000, 1.0))
    monkeypatch.setattr(windows, "GROUP_WINDOW", (1000, 1.0))
    monkeypatch.setattr("jobs.progress.AFTER_SECONDS", 600.0)


@pytest.fixture(autouse=True)
def noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the tests begin about noon, by the clock of allowances: with the day what was used would be over."""
    reckon = periods._period
    monkeypatch.setattr(periods, "_period", lambda quarter, *how: reckon(quarter + TO_NOON, *how))


@pytest.fixture
async def closed_house(tmp_path: Path, engine_url: str) -> AsyncIterator[House]:
    """Everything is there but the bot, which the test starts as it likes."""
    async with Sandbox(TOKEN) as tg:
        path = tmp_path / "darkroom.db"
        settings = make_settings(
            bot_api_url=tg.url,
            gptge_url=engine_url,
            gptge_token=KEY,
            database_url=f"sqlite:///{path}",
            provider_rate=100,
        )
        yield House(tg, settings, path)


def make_settings(**values: Any) -> Settings:
    """Build settings that nothing around the test can change."""
    return Settings(bot_token=SecretStr(TOKEN), **values)


@pytest.fixture
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a chat have many messages a second, where a journey is not about how fast they may come."""
    monkeypatch.setattr("bot.windows.CHAT_WINDOW", (30, 1.0))


@pytest.fixture
async def house(closed_house: House) -> AsyncIterator[House]:
    """Have a bot at work."""
    async with closed_house.bot():
        yield closed_house
