"""The sandbox as a process of its own."""

import asyncio
import signal
import sys
from pathlib import Path

from sandbox import Telegram
from tests.sandbox.conftest import PATIENCE, bot_of


async def test_it_says_when_it_is_ready_and_stops_when_asked(tmp_path: Path) -> None:
    """One ready line and a port file; another process drives it; SIGTERM ends it with 0, even while a bot polls."""
    port_file = tmp_path / "port"
    options = ["--port-file", str(port_file), "--token", "42:own", "--username", "own_bot", "--no-privacy"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sandbox", *options, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    ready = (await process.stdout.readline()).decode()
    url = f"http://127.0.0.1:{port_file.read_text().strip()}"
    assert ready == f"sandbox ready at {url}\n"
    async with Telegram(url, "42:own") as tg, bot_of(tg, "42:own") as bot:
        assert (tg.bot["username"], (await bot.get_me()).can_read_all_group_messages) == ("own_bot", True)
        ann = await tg.person("Ann")
        await ann.start()
        assert len(await bot.get_updates()) == 1
        poll = asyncio.create_task(bot.get_updates(offset=-1, timeout=30, allowed_updates=["poll"]))
        await tg.calls("getUpdates", least=2, begun=True)
        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(poll, PATIENCE)
        assert await asyncio.wait_for(process.wait(), PATIENCE) == 0
