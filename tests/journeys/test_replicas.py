"""Many processes on one PostgreSQL: one polls and another takes over, web and worker share the work and the calls."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString

import httpx
import psycopg
import pytest

from bot.app import running
from bot.books import find_differences
from bot.roles import Role
from bot.settings import Settings
from imaging import patience
from sandbox.client import Message, Person, Telegram
from sandbox.server import Sandbox
from tests.journeys import vendor
from tests.journeys.conftest import answer, ready
from tests.journeys.pictures import jpeg
from tests.journeys.stage import KEY, START_SECONDS, TOKEN, free_port, process

PHOTO = jpeg("coffee", longest=160)
TAKE_OVER_SECONDS = 20.0  # 3 on a machine that has nothing else to do


@dataclass(frozen=True, slots=True)
class Town:
    """A Telegram, a provider and a PostgreSQL database, and where processes write their logs."""

    tg: Telegram
    vendor: vendor.Vendor
    env: Mapping[str, str]
    folder: Path

    def start(
        self, name: str, role: str = "run", **settings: object
    ) -> AbstractAsyncContextManager[asyncio.subprocess.Process]:
        """Run `darkroom <role>` with more settings, as a process called `name`."""
        more = {f"DARKROOM_{key.upper()}": str(value) for key, value in settings.items()}
        return process("bot", role, env={**self.env, **more}, log=self.folder / name)

    async def wrote(self, text: str, *names: str) -> str:
        """Wait until one of these processes has written `text`, and give its name."""
        async with asyncio.timeout(START_SECONDS):
            while True:
                for name in names:
                    if (self.folder / name).exists() and text in (self.folder / name).read_text():
                        return name
                await asyncio.sleep(0.02)

    @property
    def settings(self) -> Settings:
        """The settings of a process in this one."""
        return Settings(**{name.removeprefix("DARKROOM_").lower(): value for name, value in self.env.items()})  # type: ignore[arg-type]  # they are checked there

    async def until(self, condition: LiteralString) -> None:
        """Wait until the database says so."""
        async with await psycopg.AsyncConnection.connect(self.env["DARKROOM_DATABASE_URL"], autocommit=True) as raw:
            while (await (await raw.execute(f"SELECT {condition}")).fetchone()) != (True,):
                await asyncio.sleep(0.01)

    async def run(self, statement: LiteralString) -> None:
        """Change the database behind the processes' backs."""
        async with await psycopg.AsyncConnection.connect(self.env["DARKROOM_DATABASE_URL"], autocommit=True) as raw:
            await raw.execute(statement)

    async def person(self) -> Person:
        """Make the acquaintance of somebody whom the bot has greeted."""
        person = await self.tg.person("Ann")
        hello = await person.send(text="/start help")
        await person.chat.wait_for(after=hello)
        return person


@pytest.fixture
async def town(server_url: str, tmp_path: Path) -> AsyncIterator[Town]:
    async with Sandbox(TOKEN) as tg, vendor.running(0.3) as provider:
        env = {
            "DARKROOM_BOT_TOKEN": TOKEN,
            "DARKROOM_BOT_API_URL": tg.url,
            "DARKROOM_GPTGE_URL": provider.url,
            "DARKROOM_GPTGE_TOKEN": KEY,
            "DARKROOM_PROVIDER_RATE": "50",
            "DARKROOM_DATABASE_URL": server_url,
        }
        yield Town(tg, provider, env, tmp_path)


async def once(person: Person, asked: Message) -> bool:
    """Tell whether a photo is answered by one result."""
    await answer(person.chat, asked, result=True)
    quota = await answer(person.chat, await person.send(text="/quota"))
    files = [one for one in await person.chat.messages(after=asked) if one.replies_to == asked.id and one.has_file]
    return len(files) == 1 and "9 credits" in quota.words


async def test_one_polls_and_another_takes_over(town: Town) -> None:
    """Of two `darkroom run` one polls; when it is killed the other does; a photo sent meanwhile is answered once."""
    async with town.start("a") as a, town.start("b") as b:
        await asyncio.gather(town.wrote(" ready ", "a"), town.wrote(" ready ", "b"))
        first = await town.wrote("polls Telegram", "a", "b")
        ann = await town.person()
        assert "polls Telegram" not in (town.folder / {"a": "b", "b": "a"}[first]).read_text()
        await town.until("NOT EXISTS (SELECT 1 FROM inbox WHERE done_at IS NULL)")  # else the lease must run out first
        {"a": a, "b": b}[first].kill()
        asked = await ann.send_photo(photo=PHOTO, caption="/enhance 2x")
        async with asyncio.timeout(TAKE_OVER_SECONDS):
            await town.wrote("polls Telegram", {"a": "b", "b": "a"}[first])
        assert await once(ann, asked)


async def test_web_and_worker(town: Town, engine_url: str) -> None:
    """One `darkroom web` is called by Telegram, the other by the provider, and a `darkroom worker` hears of it."""
    ports = free_port(), free_port()
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    settings = {"wait": "callback", "gptge_url": engine_url, "public_url": urls[0]}
    async with (
        town.start("web", "web", http_port=ports[0], **settings),
        town.start("other", "web", http_port=ports[1], **settings),
        town.start("worker", "worker", **{**settings, "public_url": urls[1]}),
    ):
        ann = await town.person()
        await asyncio.gather(*(town.wrote(" ready ", name) for name in ("web", "other", "worker")))
        asked = await ann.send_photo(photo=PHOTO, caption="/enhance 2x")
        await town.until("EXISTS (SELECT 1 FROM jobs WHERE state NOT IN ('accepted', 'submitting'))")
        async with asyncio.timeout(patience.SLOW):  # else it was polling that learned of the end
            await answer(ann.chat, asked, result=True)
        assert await once(ann, asked)
        await ready(urls[1], "database", "telegram")


async def test_a_worker_that_stops_leaves_its_work(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped in the middle of a photo a worker hands it to the next, which pays nothing again."""
    monkeypatch.setattr("bot.app.STOP_SECONDS", 0.0)
    port = free_port()
    async with running(town.settings, Role.WEB):
        ann = await town.person()
        town.vendor.hold()
        async with running(town.settings, Role.WORKER):
            asked = await ann.send_photo(photo=PHOTO, caption="/enhance 2x")
            await town.until("EXISTS (SELECT 1 FROM jobs WHERE state = 'submitted')")
        town.vendor.release()
        worker = town.settings.model_copy(update={"http_port": port})
        async with running(worker, Role.WORKER):
            assert await once(ann, asked)
            await ready(f"http://127.0.0.1:{port}", "database", "telegram", "provider")
    assert await find_differences(town.settings) == []
    assert await posts(town.vendor) == 1


async def test_taken_for_dead(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that the others have buried while it waited for a provider begins anew; the photo is done once."""
    monkeypatch.setattr("jobs.membership.BEAT_SECONDS", 0.1)
    town.vendor.hold()  # it hears of it before the provider is done
    async with running(town.settings):
        ann = await town.person()
        asked = await ann.send_photo(photo=PHOTO, caption="/enhance 2x")
        await town.until("EXISTS (SELECT 1 FROM jobs WHERE state = 'submitted')")
        await town.run("DELETE FROM processes")
        await town.until("(SELECT epoch > 1 FROM jobs)")
        town.vendor.release()
        assert await once(ann, asked)
    assert await posts(town.vendor) == 1
    assert await find_differences(town.settings) == []


async def posts(provider: vendor.Vendor) -> int:
    """Count the paid requests."""
    async with httpx.AsyncClient(timeout=START_SECONDS) as client:
        report = (await client.get(f"{provider.url}/vendor/report")).json()
    return sum(picture["posts"] for picture in report["pictures"].values())
