"""The admins hear of what only they can mend, once an hour a cause, and of nothing else."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from telegram import Bot
from telegram.error import Forbidden
from telegram.request import BaseRequest

from bot import alerts
from bot.alerts import LATELY, Alerts
from handlers.words import Words
from storage.database import Database
from tests.databases import either as db
from tests.databases import path, raw, reached, template, url

__all__ = ["db", "path", "template", "url"]


class Chats(BaseRequest):
    """Telegram, where person 2 never wrote to the bot."""

    def __init__(self) -> None:
        self.told: list[tuple[int, str]] = []

    read_timeout = 1.0

    async def initialize(self) -> None:
        """Nothing to prepare."""

    async def shutdown(self) -> None:
        """Nothing to close."""

    async def do_request(self, *_: Any, request_data: Any = None, **__: Any) -> tuple[int, bytes]:
        """Take a message."""
        said = request_data.parameters
        if said["chat_id"] == 2:
            raise Forbidden("bot can't initiate conversation with a user")
        self.told.append((said["chat_id"], said["text"]))
        return 200, b'{"ok":true,"result":{"message_id":1,"date":0,"chat":{"id":1,"type":"private"}}}'


def make(db: Database, chats: Chats, *, cap: int | None = None) -> Alerts:
    bot = Bot("99:token", request=chats, get_updates_request=chats)
    return Alerts(db, bot, Words(), (1, 2), failure_share=0.5, cap=cap)


async def test_refusals_once_an_hour_and_cause(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused key and an empty account are two causes, as are two providers; an hour later it is told again."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(alerts, "time", SimpleNamespace(monotonic=lambda: clock.now))
    chats = Chats()
    watch = make(db, chats)
    for moment in (0.0, 1800.0, 3700.0):
        async with db.begin() as conn:
            await raw(conn, "UPDATE alerts SET at = at - ?", moment - clock.now)
        clock.now = moment
        watch.provider_request("gptge", 0.5, "ok")
        for provider in ("gptge", "picwish"):
            watch.provider_request(provider, 0.1, "key_refused")
        watch.provider_request("gptge", 0.1, "out_of_credit")
        await watch.close()
    assert len(chats.told) == 6
    assert watch.latency("gptge") == pytest.approx(0.7 / 3)
    assert watch.latency("nobody") is None


async def test_many_failures(db: Database) -> None:
    """Half of the last twenty is too much; pictures that nobody could do do not count."""
    chats = Chats()
    watch = make(db, chats)
    for number in range(LATELY):
        watch.job_ended("cutout", "gptge", "no_face" if number % 2 else "delivered")
    await watch.close()
    assert chats.told == []
    for _ in range(LATELY):
        watch.job_ended("cutout", "gptge", "timeout")
    await watch.close()
    ((who, text),) = chats.told
    assert who == 1
    assert f"10 of the last {LATELY}" in text


@pytest.mark.parametrize(("cap", "spent", "told"), [(None, 99, 0), (10, 7, 0), (10, 8, 1)])
async def test_the_cap_is_near(
    db: Database, monkeypatch: pytest.MonkeyPatch, cap: int | None, spent: int, told: int
) -> None:
    """From four fifths of the cap on it is near."""
    monkeypatch.setattr(alerts, "utc_day", lambda _: "2026-01-31")  # at midnight nothing is spent
    chats = Chats()
    async with db.begin() as conn:
        await raw(conn, "INSERT INTO spending VALUES (?, ?)", "2026-01-31", spent)
    watch = make(db, chats, cap=cap)
    for _ in range(3):
        watch.credits_moved("settle", 1)
        await watch.close()
    assert len(chats.told) == told


async def test_told_once_by_many(server_url: str) -> None:
    """Three processes notice the same at the same time: one tells it; an hour after that, one of them again."""
    chats = Chats()
    async with reached(server_url) as db:
        watches = [make(db, chats) for _ in range(3)]
        for count in (1, 2):
            for watch in watches:
                watch.provider_request("gptge", 0.1, "key_refused")
            await asyncio.gather(*(watch.close() for watch in watches))
            assert len(chats.told) == count
            async with db.begin() as conn:
                await raw(conn, "UPDATE alerts SET at = at - 3601")
            watches = [make(db, chats) for _ in range(3)]
