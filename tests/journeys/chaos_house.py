"""The house that chaos befalls: sandbox, vendor and bot as processes; the bot can be killed, and its database read."""

import asyncio
import json
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from sandbox.client import Telegram
from tests.journeys.stage import KEY, STOP_SECONDS, TOKEN, port_of, process, surroundings

Row = dict[str, Any]
QUIET_SECONDS = 90.0
BOT = ("bot",)


@dataclass
class Outside:
    """Telegram and the provider, which stay; a folder for logs; and the settings a bot is to be started with."""

    tg: Telegram
    vendor: httpx.AsyncClient
    folder: Path
    env: dict[str, str]

    async def order(self, picture: str, **wrongs: Sequence[str]) -> None:
        """Let the vendor misbehave with a picture (by its hash): see vendor.py."""
        await self.vendor.post("/vendor/order", content=json.dumps({"picture": picture, **wrongs}))

    async def hold(self) -> None:
        """Let the vendor end no task until `release`: what is to be met at work is met, however late one comes."""
        await self.vendor.post("/vendor/hold")

    async def release(self) -> None:
        """Let the vendor go on."""
        await self.vendor.post("/vendor/release")

    async def report(self, *, posts: int = 0) -> dict[str, Any]:
        """Ask the vendor what came, once there were so many POSTs."""
        return (await self.vendor.get("/vendor/report", params={"posts": posts})).json()  # type: ignore[no-any-return]  # JSON


@dataclass(kw_only=True)
class House(Outside):
    """And the bot, which comes and goes."""

    program: Sequence[str]
    bot: asyncio.subprocess.Process | None = None
    exit_code: int | None = None

    @property
    def database(self) -> Path:
        """The bot's database file."""
        return self.folder / "darkroom.db"

    async def start(self) -> asyncio.subprocess.Process:
        """Start the bot."""
        with (self.folder / "bot.log").open("ab") as log:
            self.bot = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", *self.program, "run"),
                stdout=log,
                stderr=log,
                **surroundings(self.folder, self.env),
            )
        return self.bot

    async def kill(self) -> None:
        """End the bot as a power cut would; it hears nothing of it."""
        if self.bot is None or self.bot.returncode is not None:
            raise RuntimeError("the bot ended by itself: see bot.log")
        self.bot.kill()
        await self.bot.wait()

    async def stop(self) -> int:
        """Ask the bot to end, as an operator does; give its exit code (-9: it had to be killed)."""
        if self.bot is None:
            return 0
        if self.bot.returncode is None:
            self.bot.send_signal(signal.SIGTERM)
        try:
            return await asyncio.wait_for(self.bot.wait(), STOP_SECONDS)
        except TimeoutError:
            await self.kill()
            return -signal.SIGKILL

    def rows(self, query: str) -> list[Row]:
        """Read the database without changing anything, not even a WAL left by a killed bot."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=5)) as db:
            db.row_factory = sqlite3.Row
            return [dict(row) for row in db.execute(query)]

    def states(self) -> dict[int, str]:
        """Give each unfinished job's state; none when the bot died before there was a table."""
        try:
            return {row["id"]: row["state"] for row in self.rows("SELECT id, state FROM jobs WHERE told = 0")}
        except sqlite3.OperationalError:
            return {}

    async def quiet(self) -> bool:
        """Wait until nothing is left to do anywhere; False when that takes too long or the bot ends."""
        try:
            async with asyncio.timeout(QUIET_SECONDS):
                while await self._busy():
                    if self.bot and self.bot.returncode is not None:
                        return False
                    await asyncio.sleep(0.2)
        except TimeoutError:
            return False
        return True

    async def _busy(self) -> bool:
        if (await self.tg.do("bot", token=TOKEN))["pending"] or not self.database.exists() or self.states():
            return True
        return bool(self.rows("SELECT 1 FROM inbox WHERE done_at IS NULL LIMIT 1"))


@asynccontextmanager
async def chaos_house(
    folder: Path,
    *,
    seconds: tuple[float, float] = (0.1, 0.6),
    answer: tuple[float, float] = (0.0, 0.0),
    program: Sequence[str] = BOT,
    **settings: str,
) -> AsyncIterator[House]:
    """Start sandbox and vendor, not the bot; `settings` are more DARKROOM_ settings, in lower case."""
    settings = {"database_url": f"sqlite:///{folder / 'darkroom.db'}", **settings}
    async with outside(folder, seconds=seconds, answer=answer, **settings) as there:
        house = House(there.tg, there.vendor, folder, there.env, program=program)
        try:
            yield house
        finally:
            await house.stop()


@asynccontextmanager
async def outside(
    folder: Path, *, seconds: tuple[float, float], answer: tuple[float, float], **settings: str
) -> AsyncIterator[Outside]:
    """Start sandbox and vendor; see `chaos_house`."""
    folder.mkdir(parents=True, exist_ok=True)
    ports = [folder / "sandbox.port", folder / "vendor.port"]
    spans = ["--seconds", *map(str, seconds), "--answer", *map(str, answer)]
    async with AsyncExitStack() as stack:
        started = [
            await stack.enter_async_context(process(name, *arguments, env={}, log=folder / f"{port.stem}.log"))
            for name, port, arguments in (
                ("sandbox", ports[0], ["--port", "0", "--port-file", str(ports[0]), "--token", TOKEN]),
                ("tests.journeys.vendor", ports[1], ["--port-file", str(ports[1]), *spans]),
            )
        ]
        telegram, vendor = [f"http://127.0.0.1:{await port_of(*pair)}" for pair in zip(ports, started, strict=True)]
        env = {
            "DARKROOM_BOT_TOKEN": TOKEN,
            "DARKROOM_BOT_API_URL": telegram,
            "DARKROOM_GPTGE_URL": vendor,
            "DARKROOM_GPTGE_TOKEN": KEY,
            "DARKROOM_PROVIDER_RATE": "10000",
            "DARKROOM_TELEGRAM_RATE": "1000",
            "DARKROOM_DAILY_ALLOWANCE": "1000",
            "DARKROOM_JOB_TIMEOUT": "60",
            "DARKROOM_LOG_FORMAT": "json",
            **{f"DARKROOM_{name.upper()}": value for name, value in settings.items()},
        }
        tg = await stack.enter_async_context(Telegram(telegram, TOKEN))
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=vendor, timeout=60))
        yield Outside(tg, client, folder, env)
