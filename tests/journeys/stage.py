"""The three programs as processes of their own on free loopback ports, as `make demo` and `make chaos` run them."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.client import Telegram

TOKEN = "123456789:AAdarkroom-demo-token-of-no-use_0000"
KEY = "sk-demo"
START_SECONDS = 60.0
STOP_SECONDS = 15.0
ROOT = Path(__file__).parents[2]


def surroundings(folder: Path, env: Mapping[str, str]) -> dict[str, Any]:
    """Give what to start a program with: in `folder`, where no operator's .env is, and with this tree's modules."""
    return {"cwd": folder, "env": {**os.environ, "PYTHONPATH": str(ROOT), **env}}


_PORTS: list[socket.socket] = []  # bound as long as this process lives: else the kernel may give them to others


@asynccontextmanager
async def process(
    name: str, *arguments: str, env: Mapping[str, str], log: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run `python -m <name> …` for as long as the context lasts; it must end by itself when told to."""
    with log.open("ab") as output:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", name, *arguments, stdout=output, stderr=output, **surroundings(log.parent, env)
        )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(child.wait(), STOP_SECONDS)
            except TimeoutError:
                child.kill()
                await child.wait()


async def port_of(file: Path, child: asyncio.subprocess.Process) -> int:
    """Wait until a process has written its port. Raises RuntimeError when it died instead."""
    async with asyncio.timeout(START_SECONDS):
        while not file.exists():
            if child.returncode is not None:
                message = f"it ended with {child.returncode} before it was ready"
                raise RuntimeError(message)
            await asyncio.sleep(0.05)
    return int(file.read_text())


def free_port() -> int:
    """Give a port that nobody listens on, and that nobody gets who does not ask for it by its number."""
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as whoever is to listen there does
    one.bind(("127.0.0.1", 0))
    _PORTS.append(one)
    return int(one.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Stage:
    """Where everything is: the Telegram to play in, and the settings the bot was started with."""

    tg: Telegram
    engine_url: str
    bot_env: Mapping[str, str]
    bot: asyncio.subprocess.Process


@asynccontextmanager
async def stage(folder: Path, **settings: str) -> AsyncIterator[Stage]:
    """Start engine, sandbox and bot; `settings` are more DARKROOM_ settings, in lower case. Logs go to `folder`."""
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(
            process(
                "engine",
                *("--port", "0", "--port-file", str(folder / "engine.port"), "--allow-private"),
                env={"ENGINE_KEYS": KEY},
                log=folder / "engine.log",
            )
        )
        sandbox = await stack.enter_async_context(
            process(
                "sandbox",
                *("--port", "0", "--port-file", str(folder / "sandbox.port"), "--token", TOKEN),
                env={},
                log=folder / "sandbox.log",
            )
        )
        engine_port, sandbox_port = await asyncio.gather(
            port_of(folder / "engine.port", engine), port_of(folder / "sandbox.port", sandbox)
        )
        tg = await stack.enter_async_context(Telegram(f"http://127.0.0.1:{sandbox_port}", TOKEN))
        env = {
            "DARKROOM_BOT_TOKEN": TOKEN,
            "DARKROOM_BOT_API_URL": f"http://127.0.0.1:{sandbox_port}",
            "DARKROOM_PROVIDERS": "gptge",
            "DARKROOM_GPTGE_URL": f"http://127.0.0.1:{engine_port}",
            "DARKROOM_GPTGE_TOKEN": KEY,
            "DARKROOM_PROVIDER_RATE": "50",
            "DARKROOM_DATABASE_URL": f"sqlite:///{folder / 'darkroom.db'}",
            **{f"DARKROOM_{name.upper()}": value for name, value in settings.items()},
        }
        bot = await stack.enter_async_context(process("bot", "run", env=env, log=folder / "bot.log"))
        yield Stage(tg, f"http://127.0.0.1:{engine_port}", env, bot)
