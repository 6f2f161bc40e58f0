"""The end of a run under trouble: nothing under way is lost, and it ends in time whatever hangs."""

import asyncio
import signal
import sqlite3
import sys
from pathlib import Path

import pytest

from bot import front
from bot.app import LAST_SECONDS
from sandbox.client import Message, Person
from tests.journeys.conftest import HELD, House, answer
from tests.journeys.stage import KEY, TOKEN, surroundings


async def _ask_in_vain(house: House, person: Person) -> Message:
    """Ask something, and return when the bot hangs in its answer, until faults are forgotten."""
    before = len(await house.tg.calls("sendMessage"))
    await house.tg.fault("delay", "sendMessage", delay=HELD)
    asked = await person.send(text="/id")
    await house.tg.calls("sendMessage", begun=True, least=before + 1)
    return asked


async def test_an_answer_cut_short_is_given_after_the_start(
    closed_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stop waits only so long for a handler that hangs at Telegram; its update stays for the next start."""
    monkeypatch.setattr(front, "HANDLERS_SECONDS", 0.1)
    async with closed_house.bot():
        ann = await closed_house.person()
        asked = await _ask_in_vain(closed_house, ann)
    async with closed_house.bot():
        assert str(ann.id) in (await answer(ann.chat, asked)).words


async def test_sigterm_ends_it_in_time_whatever_hangs(closed_house: House, tmp_path: Path) -> None:
    """With the database locked, so that an update that was handled cannot be marked, it ends when its time is over."""
    settings = closed_house.settings
    env = {
        "DARKROOM_BOT_TOKEN": TOKEN,
        "DARKROOM_BOT_API_URL": settings.bot_api_url,
        "DARKROOM_GPTGE_TOKEN": KEY,
        "DARKROOM_DATABASE_URL": settings.database_url.get_secret_value(),
    }
    with (tmp_path / "bot.log").open("wb") as log:
        bot = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", "run", stdout=log, stderr=log, **surroundings(tmp_path, env)
        )
        try:
            ann = await closed_house.person()
            asked = await _ask_in_vain(closed_house, ann)
            with sqlite3.connect(closed_house.path, isolation_level=None, timeout=HELD) as other:
                other.execute("BEGIN IMMEDIATE")
                await closed_house.tg.no_faults()
                await ann.chat.wait_for(after=asked)
                bot.send_signal(signal.SIGTERM)
                assert await asyncio.wait_for(bot.wait(), HELD) == 0
        finally:
            if bot.returncode is None:
                bot.kill()
                await bot.wait()
    assert "stopped the hard way" in (tmp_path / "bot.log").read_text(), "nothing hung"
    assert LAST_SECONDS < 10
